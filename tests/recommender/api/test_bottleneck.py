"""What the API says of what limits a workload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from models.bottleneck import Bottleneck, of_job
from models.inventory import Coverage, Node
from profiler import summary
from recommender.api import answers
from recommender.api.bottleneck import bottleneck, cpu_side, gpu
from recommender.api.detail import detail
from recommender.api.fingerprints import with_fingerprint
from recommender.api.listing import WorkloadQuery, workload_page
from recommender.view import Row as ViewRow
from recommender.view import Snapshot, join
from stream.columns_codec import encode_columns
from stream.contract import Message
from tests.profiler.gpu_telemetry import GpuRow, gpu_message
from tests.profiler.telemetry import MINUTE, SECOND, Row, message, profile, workload
from tests.recommender.api.test_api import nulls
from tests.recommender.view_columns import recommendations

TRIAD = {
    "gpu_utilization_ratio": 1.0,
    "tensor_active_ratio": 0.031,
    "dram_active_ratio": 0.78,
    "power_watts": 420.0,
    "framebuffer_used_bytes": 8.0 * 2**30,
}
IDLE = {"gpu_utilization_ratio": 0.0, "power_watts": 120.0}


def seen(messages: Sequence[Message]) -> Snapshot:
    """A snapshot of what the profiler makes of these messages."""
    profiles = profile(messages).profiles
    summary.write(profiles, slice(0, len(profiles.names)))
    slab = profiles.slab(0)
    return Snapshot({(0, "slab/0"): join(slab, encode_columns(slab), recommendations(list(slab.workloads)))})


def row(snapshot: Snapshot, name: str) -> ViewRow:
    found = snapshot.get(workload(name))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    """A triad for three minutes of four on two GPUs, and a web server without a GPU."""
    rows = [
        GpuRow("hpc", m * MINUTE + s * SECOND, TRIAD if m < 3 else IDLE, f"GPU-{g}")
        for m in range(4) for s in range(60) for g in range(2)
    ]  # fmt: skip
    web = [
        Row("web", s * SECOND, 0.5, 1e9, signals={"cpu_throttled_ratio": 0.6, "io_pressure_ratio": 0.0})
        for s in range(60)
    ]
    return seen([gpu_message(rows, "n1", 1), message(web, "n1", 2)])


def test_a_workload_is_described_by_its_gpus_where_it_has_some(snapshot: Snapshot) -> None:
    """The triad is bound by memory for three quarters of its time; the web server is throttled."""
    assert bottleneck(row(snapshot, "hpc"))["class"] == "memory-bandwidth"
    assert bottleneck(row(snapshot, "web"))["class"] == "compute"
    assert gpu(row(snapshot, "web")) is None
    body = gpu(row(snapshot, "hpc"))
    assert body is not None
    assert [(part["class"], part["time_ratio"]) for part in body["time"]] == [
        ("memory-bandwidth", pytest.approx(0.75, abs=0.01)),
        ("idle", pytest.approx(0.25, abs=0.01)),
    ]
    assert (body["gpus"], body["mig_slice"]) == (2, False)


def test_evidence_is_of_means_and_says_what_is_missing(snapshot: Snapshot) -> None:
    """DRAM was seen while the triad ran: 0.78/0.8. 494 to 1979 TFLOP/s times 0.031 over 0.78 of 3.35 TB/s: 5.9 to 23.5."""
    body = gpu(row(snapshot, "hpc"))
    assert body is not None
    evidence = {e["name"]: e for e in body["evidence"]}
    assert evidence["memory_ratio"]["value"] == pytest.approx(0.975)
    assert evidence["host_transfer_ratio"]["value"] is None
    assert "PCIe" in evidence["host_transfer_ratio"]["missing"]["value"]
    assert body["intensity_flop_per_byte"] == pytest.approx([5.9, 23.5], abs=0.05)
    assert body["counters_ratio"] == pytest.approx(0.75, abs=0.01)


def test_the_cpu_side_has_its_evidence_too(snapshot: Snapshot) -> None:
    """Stopped in 0.6 of its periods against a quarter: 2.4, the highest. I/O pressure of 0 is a number; what nobody told is
    null with its reason."""
    side = cpu_side(row(snapshot, "web"))
    assert side is not None
    assert side["bottleneck"]["class"] == "compute"
    values = {one["name"]: one["value"] for one in side["evidence"]}
    assert values["cpu_stopped_ratio"] == pytest.approx(2.4)
    assert values["disk_wait_ratio"] == 0
    assert max(value for value in values.values() if value is not None) == values["cpu_stopped_ratio"]
    network = next(one for one in side["evidence"] if one["name"] == "network_ratio")
    assert (network["value"], list(network["missing"])) == (None, ["value"])
    assert "0.6 of 10 Gbit/s" in network["help"]
    assert cpu_side(row(snapshot, "hpc")) is None
    assert detail(snapshot, row(snapshot, "hpc"))["missing"]["cpu_side"]


def test_a_class_that_is_not_given_names_the_signals_that_would_decide() -> None:
    """A GPU at 300 W that is busy, and a process of which nobody tells the disks. Where it is busy, copies cannot hold it up,
    so PCIe is not among what lacks."""
    busy = [GpuRow("hpc", s * SECOND, {"gpu_utilization_ratio": 1.0, "power_watts": 640.0}) for s in range(60)]
    rest = [Row("web", s * SECOND, 0.5, 1e9) for s in range(60)]
    snapshot = seen([gpu_message(busy, "n1", 1), message(rest, "n1", 2)])
    said = bottleneck(row(snapshot, "hpc"))
    assert said["class"] == "insufficient"
    assert "math pipe" in said["sentence"]
    assert "DRAM activity or memory utilisation" in said["sentence"]
    assert "PCIe" not in said["sentence"]
    assert "power" not in said["sentence"]
    assert "io_pressure_ratio" in bottleneck(row(snapshot, "web"))["sentence"]


def test_a_gpu_signal_that_nobody_gave_has_the_reason_of_the_nodes(snapshot: Snapshot) -> None:
    """As of CPU signals: what the sources of its cluster say of it."""
    why = "no DCGM_FI_PROF_SM_ACTIVE, which comes from dcgm-exporter"
    name = row(snapshot, "hpc").id.partition("/")[0]
    node = Node(name, "n1", 1, coverage=(Coverage("prometheus", "sm_active_ratio", False, why),))
    told = replace(snapshot, nodes={f"{name}/n1": node})
    signals = {one["name"]: one["missing"] for one in detail(told, row(told, "hpc"))["gpu_signals"]}
    assert signals["sm_active_ratio"] == why
    assert signals["fp64_active_ratio"] == "no source gave a value for this workload"
    assert signals["dram_active_ratio"] is None


def test_the_bodies_fit_their_documented_models(snapshot: Snapshot) -> None:
    """Nothing more and nothing less, and each null has its reason beside it."""
    page = workload_page(snapshot, WorkloadQuery())
    answers.WorkloadPage.model_validate(page, extra="forbid")
    for holder, key in nulls(page["workloads"]):
        assert holder["missing"][key]
    body = with_fingerprint(detail(snapshot, row(snapshot, "hpc")), {"fingerprint": None, "why_not": "no model"})
    answers.WorkloadDetail.model_validate(body, extra="forbid")
    web = with_fingerprint(detail(snapshot, row(snapshot, "web")), {"fingerprint": None, "why_not": "no model"})
    answers.WorkloadDetail.model_validate(web, extra="forbid")
    signals = {signal["name"]: signal for signal in body["gpu_signals"]}
    assert signals["dram_active_ratio"]["mean"] == pytest.approx(0.78)
    assert signals["fp64_active_ratio"]["missing"]
    assert [day["peak_bytes"] for day in body["framebuffer_days"]] == [8 * 2**30]
    assert detail(snapshot, row(snapshot, "web"))["gpu_signals"] == []


@pytest.mark.parametrize(("asked", "names"), [(True, ["hpc"]), (False, ["web"]), (None, ["hpc", "web"])])
def test_gpu_workloads_can_be_asked_for(snapshot: Snapshot, asked: bool | None, names: list[str]) -> None:
    """`?gpu=true`."""
    page: dict[str, Any] = workload_page(snapshot, WorkloadQuery(gpu=asked, sort="id"))
    assert [w["name"] for w in page["workloads"]] == names


def test_a_gpu_that_waits_for_nothing_it_can_see_waits_for_the_host() -> None:
    """Storage or network of the CPU side explain latency and idleness, and nothing else."""
    disk, net = Bottleneck.IO_STORAGE, Bottleneck.IO_NETWORK
    assert of_job(Bottleneck.LATENCY, disk) is disk
    assert of_job(Bottleneck.IDLE, net) is net
    assert of_job(Bottleneck.COMPUTE, disk) is Bottleneck.COMPUTE
    assert of_job(Bottleneck.LATENCY, Bottleneck.COMPUTE) is Bottleneck.LATENCY
