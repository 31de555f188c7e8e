"""From a Prometheus with DCGM and cAdvisor series to a class with evidence for each GPU workload, by the commands that a
user types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.services.process import free_port
from tests.collector.prometheus.conftest import Serve, serve  # noqa: F401  # a fixture
from tests.collector.prometheus.world import Container, World
from tests.sizewise.test_import import recent, sizewise

pytestmark = pytest.mark.timeout(120)

H100 = "NVIDIA H100 80GB HBM3"
NVML = {
    "DCGM_FI_DEV_FB_TOTAL": 81559.0,
    "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": 700.0,
    "DCGM_FI_DEV_SM_CLOCK": 1980.0,
}
TRAIN = Container("ml", "bert-7d9f8b6c5d-x2x4z", "train", "gpu-1")
"""Has profiling counters, and tensor pipes that are busy 70 % of the time."""
EMBED = Container("ml", "embed-5768464c94-z4x2x", "main", "gpu-2")
"""Has none: an exporter with its default counters. Its device memory is."""
NOTEBOOK = Container("ml", "notebook-0", "main", "gpu-2")
"""Holds a GPU and does nothing."""
GPUS: Mapping[Container, Mapping[str, float]] = {
    TRAIN: {
        "DCGM_FI_DEV_GPU_UTIL": 98, "DCGM_FI_DEV_MEM_COPY_UTIL": 40, "DCGM_FI_DEV_FB_USED": 60000,
        "DCGM_FI_DEV_POWER_USAGE": 640, "DCGM_FI_PROF_SM_ACTIVE": 0.95, "DCGM_FI_PROF_SM_OCCUPANCY": 0.4,
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": 0.7, "DCGM_FI_PROF_DRAM_ACTIVE": 0.3,
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE": 0.98, "DCGM_FI_PROF_PIPE_FP16_ACTIVE": 0.05,
        "DCGM_FI_PROF_PIPE_FP32_ACTIVE": 0.1, "DCGM_FI_PROF_PIPE_FP64_ACTIVE": 0.0,
        "DCGM_FI_PROF_PCIE_TX_BYTES": 1e8, "DCGM_FI_PROF_PCIE_RX_BYTES": 2e8,
    },
    EMBED: {
        "DCGM_FI_DEV_GPU_UTIL": 97, "DCGM_FI_DEV_MEM_COPY_UTIL": 92, "DCGM_FI_DEV_FB_USED": 20000,
        "DCGM_FI_DEV_POWER_USAGE": 420,
    },
    NOTEBOOK: {
        "DCGM_FI_DEV_GPU_UTIL": 0, "DCGM_FI_DEV_MEM_COPY_UTIL": 0, "DCGM_FI_DEV_FB_USED": 3000,
        "DCGM_FI_DEV_POWER_USAGE": 70,
    },
}  # fmt: skip


def cluster() -> World:
    """Two machines with three GPUs, a pod on each; a day, a sample a minute."""
    world, times = World(), recent(26)
    for number, (pod, metrics) in enumerate(GPUS.items()):
        pod.add_to(world, times, [2.0] * len(times), [8e9] * len(times))
        gpu = {
            "UUID": f"GPU-{number}", "gpu": str(number), "modelName": H100, "Hostname": pod.node, "job": "dcgm",
            "instance": f"10.0.0.{number}:9400", "namespace": "monitoring", "pod": "dcgm-exporter-aaaaa",
            "exported_namespace": "ml", "exported_pod": pod.pod, "exported_container": pod.name,
        }  # fmt: skip
        for name, value in {**NVML, **metrics}.items():
            world.add(name, [(time, value) for time in times], **gpu)
        own = {"namespace": "ml", "pod": pod.pod, "job": "kube-state-metrics"}
        always = [(time, 1.0) for time in times]
        kind, owner = ("StatefulSet", "notebook") if pod is NOTEBOOK else ("ReplicaSet", pod.pod.rpartition("-")[0])
        world.add("kube_pod_owner", always, **own, owner_kind=kind, owner_name=owner)
        for resource, size in (("cpu", 4.0), ("memory", 32e9)):
            world.add(
                "kube_pod_container_resource_requests", [(time, size) for time in times],
                **own, container=pod.name, resource=resource, unit="core" if resource == "cpu" else "byte",
            )  # fmt: skip
    for node in ("gpu-1", "gpu-2"):
        for resource, size in (("cpu", 96.0), ("memory", 1e12)):
            world.add("kube_node_status_capacity", [(time, size) for time in times], node=node, resource=resource)
        world.add("node_memory_MemTotal_bytes", [(time, 1e12) for time in times], instance=f"{node}:9100")
        world.add("node_memory_MemAvailable_bytes", [(time, 5e11) for time in times], instance=f"{node}:9100")
    return world


@contextmanager
def stages(state: Path) -> Iterator[str]:
    """Gives the address of the API."""
    environment, port = os.environ | {"SIZEWISE_STATE": str(state)}, free_port()
    running = [
        subprocess.Popen([sys.executable, "-m", "sizewise", *stage], env=environment)
        for stage in (("profile",), ("recommend",), ("serve", "--port", str(port)))
    ]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        for stage in running:
            stage.terminate()
            stage.wait()


def report_of(state: Path) -> Any:
    """The report once all three are profiled to the end and answered."""
    deadline = time.monotonic() + 60
    while True:
        done = sizewise(state, "report", "--gpu", "--wait", "60", "-o", "json")
        assert done.returncode == 0, done.stderr
        page = json.loads(done.stdout)
        hours = [workload["gpu"]["covered_hours"] for workload in page["workloads"] if workload["mig"]]
        if len(hours) == len(GPUS) and min(hours) > 23:
            return page
        assert time.monotonic() < deadline, hours


def answer_of(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
    return body


def series_of(api: str, wanted: str) -> dict[str, float]:
    """The series of a metric of /metrics by their labels, once there are any; they are made every few seconds."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = answer_of(f"{api}/metrics").decode().splitlines()
        found = {
            line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith(wanted + "{")
        }
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"no {wanted} on /metrics")


def check_coverage(api: str) -> None:
    """Both nodes say of each signal whether the server has it and, if not, what would add it; so does each GPU workload of
    what it lacks itself; and /metrics count nodes by signal, and workloads by what was not seen of them."""
    nodes = json.loads(answer_of(f"{api}/v1/nodes"))["nodes"]
    assert {node["name"] for node in nodes} >= {"gpu-1", "gpu-2"}
    for node in nodes:
        lines = {line["signal"]: line for line in node["coverage"]}
        assert lines["sm_active_ratio"]["seen"]
        assert not lines["nvlink_receive_bytes_per_s"]["seen"]
        assert "counters.csv" in lines["nvlink_receive_bytes_per_s"]["reason"]
    detail = json.loads(answer_of(f"{api}/v1/workloads/prod/ml/Deployment/bert/train"))
    signals = {one["name"]: one for one in detail["gpu_signals"]}
    assert signals["dram_active_ratio"]["mean"] == pytest.approx(0.3, rel=1e-3)
    assert "counters.csv" in signals["nvlink_receive_bytes_per_s"]["missing"]
    assert detail["cpu_side"]["evidence"]
    told = series_of(api, "sizewise_coverage_nodes")
    seen = {
        (labels.partition('signal="')[2].partition('"')[0], 'seen="true"' in labels): n for labels, n in told.items()
    }
    assert seen["sm_active_ratio", True] == seen["nvlink_receive_bytes_per_s", False] == len(nodes)
    lacking = series_of(api, "sizewise_gpu_workloads_without_evidence")
    assert lacking['sizewise_gpu_workloads_without_evidence{evidence="compute_ratio"}'] == 2
    assert lacking['sizewise_gpu_workloads_without_evidence{evidence="gpu_link_ratio"}'] == 3
    assert lacking['sizewise_gpu_workloads_without_evidence{evidence="memory_ratio"}'] == 0


def test_each_gpu_workload_of_a_prometheus_has_a_class_with_evidence(serve: Serve, tmp_path: Path) -> None:  # noqa: F811  # the fixture
    """bert computes, by its counters; embed waits for device memory, told without counters; the notebook is idle. Each
    says the numbers that were compared and which signals were there, as JSON and as text, and has its CPU side too; the API
    and /metrics tell of the signals."""
    server = serve(cluster())
    with stages(tmp_path) as api:
        imported = sizewise(tmp_path, "import", "prometheus", "--url", server.url, "--since", "1d", "--cluster", "prod")
        assert imported.returncode == 0, imported.stderr
        page = report_of(tmp_path)
        check_coverage(api)
    found: dict[str, Any] = {workload["id"]: workload for workload in page["workloads"]}
    train, embed, notebook = (
        found[f"prod/ml/{name}"]
        for name in ("Deployment/bert/train", "Deployment/embed/main", "StatefulSet/notebook/main")
    )
    classes = [workload["bottleneck"]["class"] for workload in (train, embed, notebook)]
    assert classes == ["compute", "memory-bandwidth", "idle"]
    assert [workload["gpu"]["counters_ratio"] for workload in (train, embed)] == [1.0, 0.0]
    for workload in (train, embed, notebook):
        assert workload["gpu"]["model"] == "H100-SXM-80"
        assert workload["gpu"]["covered_hours"] == pytest.approx(24, abs=0.1)
        assert workload["bottleneck"]["confidence_ratio"] > 0.3
        assert any(evidence["value"] is not None for evidence in workload["gpu"]["evidence"])
        assert workload["cpu"]["usage_p95_cores"] == pytest.approx(2.0, rel=0.06)
        assert workload["cpu"]["request_now_cores"] == 4.0
    evidence = {one["name"]: one["value"] for one in train["gpu"]["evidence"]}
    assert evidence["compute_ratio"] > evidence["memory_ratio"]
    text = sizewise(tmp_path, "report", "--gpu", "--width", "200").stdout
    for said in ("bert", "compute", "memory-bandwidth", "idle", "profiling counters", "NVML alone; not seen: "):
        assert said in text
