"""Histories of a real Prometheus into telemetry: what went in comes out."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from models.histogram import percentile
from models.inventory import Allocation, Gpu
from models.profile import PROFILE_FIELDS
from models.taints import CORDONED, UNREACHABLE, Taint
from stream.contract import EventLog
from stream.read_all import read_all
from stream.streams import TELEMETRY
from tests.collector.prometheus.conftest import Importer, Serve
from tests.collector.prometheus.rows import by_workload, events_in, nodes_in, rows_in
from tests.collector.prometheus.world import STEP, T0, Container, World, minutes
from tests.profiler import telemetry
from tests.recommender.api.nodes import client_over

SHOP = Container("shop", "web-7d9f8b6c5d-x2x4z", "nginx")
WEB = "prod/shop/Deployment/web/nginx"


def uses(seed: int, n: int) -> tuple[list[float], list[float]]:
    """Cores and bytes that no rule makes."""
    dice = random.Random(seed)
    return [dice.lognormvariate(-1, 0.7) for _ in range(n)], [float(dice.randrange(2**27, 2**30)) for _ in range(n)]


def test_every_sample_becomes_a_row_with_its_own_time(serve: Serve, importer: Importer, log: EventLog) -> None:
    """Scrapes at uneven times, as real ones are: each row has the time of its sample and the span since the one
    before; cores are the counter's growth over that span, memory is as it was. Of the first sample no growth is known.
    """
    dice = random.Random(1)
    times = [round(time + dice.uniform(-8, 8), 3) for time in minutes(5)]
    cores, memory = uses(2, len(times))
    world = World()
    SHOP.add_to(world, times, cores, memory)
    imported = importer.run(serve(world).url, 5.01)
    rows = rows_in(log)
    assert imported.complete
    assert imported.rows == len(rows) == len(times)
    assert {row.keys for row in rows} == {(WEB, SHOP.instance)}
    assert [row.time_ms for row in rows] == [round(time * 1000) for time in times]
    assert [row.interval_ms for row in rows[1:]] == [round((b - a) * 1000) for a, b in pairwise(times)]
    assert [row.signals["memory_working_set_bytes"] for row in rows] == memory
    assert "cpu_cores" not in rows[0].signals
    assert [row.signals["cpu_cores"] for row in rows[1:]] == pytest.approx(
        cores[1:], rel=1e-8
    )  # the clock of floats: 0.2 µs


def test_profiles_hold_the_numbers_that_went_in(serve: Serve, importer: Importer, log: EventLog) -> None:
    """Two days of three workloads through the profiler: no row late, none lost; covered time, peaks, the VPA
    histogram's median and the day's peaks are those of the series."""
    world, truth = World(), {}
    times = minutes(48)
    for number in range(3):
        container = Container("shop", f"app-{number}-7d9f8b6c5d-x2x4z", "main")
        cores, memory = uses(number, len(times))
        container.add_to(world, times, cores, memory)
        truth[f"prod/shop/Deployment/app-{number}/main"] = np.array(cores), np.array(memory)
    importer.run(serve(world).url, 48)
    profiles = profiled(log)
    assert profiles.keys() == truth.keys()
    days = [(T0 // 86400 + day) % 32 for day in range(2)]
    for workload, (cores, memory) in truth.items():
        mine = profiles[workload]
        assert (mine["rows"], mine["covered_ms"]) == (len(times), len(times) * STEP * 1000)
        assert (mine["first_seen_ms"], mine["last_seen_ms"]) == (T0 * 1000, times[-1] * 1000)
        assert list(mine["signal_count"][:2]) == [len(times) - 1, 0]
        assert mine["signal_peak"][0] == pytest.approx(cores[1:].max(), rel=1e-6)
        peaks = [memory[:1439].max(), memory[1439:-1].max()]  # a row that ends at midnight is of the next day
        assert mine["daily_peak"][1, days] == pytest.approx(peaks, rel=1e-6)
        median = percentile(mine["histogram"][None, 0], 0.5, 0)[0]
        assert median == pytest.approx(np.median(cores), rel=0.1)  # buckets 5 % wide; the second day weighs double


def profiled(log: EventLog) -> dict[str, dict[str, Any]]:
    """The profile of each workload, by the profiler's own code."""
    found: dict[str, dict[str, Any]] = {}
    for number in range(log.partitions(TELEMETRY)):
        partition = telemetry.partition()
        for record in read_all(log, TELEMETRY, number):
            partition.take(record, (T0 + 86_400 * 14) * 1000)
        partition.settle()
        for slot, name in enumerate(partition.profiles.names):
            found[name] = {field.name: partition.profiles[field.name][slot] for field in PROFILE_FIELDS}
    return found


def test_kube_state_metrics_say_who_owns_a_pod_and_what_it_may_use(
    serve: Serve, importer: Importer, log: EventLog
) -> None:
    """A pod whose name does not tell its owner, its ReplicaSet's Deployment, a CronJob's Job, and a DaemonSet; requests
    and limits in cores and bytes; a change of a request shows within three hours. No kill is known: 0 kills."""
    world, times = World(), minutes(8)
    names = {"web": "Deployment", "nightly": "CronJob", "agent": "DaemonSet"}
    for name, kind in names.items():
        pod = Container("shop", f"{name}-pod", "main")
        pod.add_to(world, times, [0.5] * len(times), [1e9] * len(times))
        owners = {
            "Deployment": ("ReplicaSet", "rs-1"),
            "CronJob": ("Job", "nightly-28000000"),
            "DaemonSet": ("DaemonSet", "agent"),
        }
        owner_kind, owner = owners[kind]
        always = [(time, 1.0) for time in times]
        world.add("kube_pod_owner", always, namespace="shop", pod=pod.pod, owner_kind=owner_kind, owner_name=owner)
        for what, sizes in (("requests", (0.25, 2.0**28)), ("limits", (1.0, 2.0**30))):
            for (resource, unit), size in zip((("cpu", "core"), ("memory", "byte")), sizes, strict=True):
                half = len(times) // 2
                points = [(time, size * (1 if i < half else 2)) for i, time in enumerate(times)]
                world.add(
                    f"kube_pod_container_resource_{what}", points,
                    namespace="shop", pod=pod.pod, container="main", resource=resource, unit=unit, job="kube-state",
                )  # fmt: skip
    up = [(time, 1.0) for time in times]
    world.add(
        "kube_replicaset_owner", up, namespace="shop", replicaset="rs-1", owner_kind="Deployment", owner_name="web"
    )
    world.add(
        "kube_job_owner", up, namespace="shop", job_name="nightly-28000000", owner_kind="CronJob", owner_name="nightly"
    )
    world.add(
        "kube_pod_container_status_last_terminated_reason", up,
        namespace="other", pod="x", container="y", reason="Completed",
    )  # fmt: skip
    importer.run(serve(world).url, 8)
    found = by_workload(rows_in(log))
    assert found.keys() == {f"prod/shop/{kind}/{name}/main" for name, kind in names.items()}
    rows = found["prod/shop/Deployment/web/main"]
    assert rows[0].signals | {"cpu_cores": 0.5} == {
        "cpu_cores": 0.5,
        "memory_working_set_bytes": 1e9,
        "cpu_request_cores": 0.25,
        "memory_request_bytes": 2.0**28,
        "cpu_limit_cores": 1.0,
        "memory_limit_bytes": 2.0**30,
        "oom_kills": 0.0,
    }
    assert rows[-1].signals["cpu_request_cores"] == 0.5
    assert rows[-1].signals["memory_limit_bytes"] == 2.0**31


def test_an_oom_kill_is_an_event_and_a_count_in_its_row(serve: Serve, importer: Importer, log: EventLog) -> None:
    """Two restarts while the reason says OOMKilled are two kills; a restart before that is another death."""
    world, times = World(), minutes(2)
    SHOP.add_to(world, times, [0.1] * len(times), [1e9] * len(times))
    labels = {"namespace": "shop", "pod": SHOP.pod, "container": "nginx"}
    restarts = [(time, sum(i >= at for at in (10, 40, 70))) for i, time in enumerate(times)]
    world.add("kube_pod_container_status_restarts_total", restarts, **labels)
    killed = [(time, 1.0) for time in times[40:]]
    world.add("kube_pod_container_status_last_terminated_reason", killed, reason="OOMKilled", **labels)
    importer.run(serve(world).url, 2)
    counts = {row.time_ms // 1000: row.signals["oom_kills"] for row in rows_in(log)}
    assert {time: count for time, count in counts.items() if count} == {times[40]: 1, times[70]: 1}
    events = events_in(log)
    assert [(event.kind, event.workload, event.instance) for event in events] == [
        ("oom-killed", WEB, SHOP.instance)
    ] * 2
    assert [event.time_ms for event in events] == [times[40] * 1000, times[70] * 1000]


def test_a_kill_between_two_runs_of_a_container_counts_once(serve: Serve, importer: Importer, log: EventLog) -> None:
    """The first run ends at minute 60, the second begins at minute 62; that the first was killed shows at minute 61, or
    not before minute 63. Either way one kill, of one run."""
    for seen in (61, 63):
        begin, world = T0 + 14400 * (seen - 61), World()
        times = minutes(2, begin)
        first, second = dict(SHOP.labels), {**SHOP.labels, "id": SHOP.labels["id"][:-1] + "e"}
        world.add("container_memory_working_set_bytes", [(time, 1e9) for time in times[:60]], **first)
        world.add("container_memory_working_set_bytes", [(time, 1e9) for time in times[61:]], **second)
        killed = [(time, 1.0) for time in times[seen - 1 :]]
        labels = {"namespace": "shop", "pod": SHOP.pod, "container": "nginx", "reason": "OOMKilled"}
        world.add("kube_pod_container_status_last_terminated_reason", killed, **labels)
        importer.outbox = importer.outbox.with_name(f"{seen}.db")
        importer.run(serve(world).url, 2, begin)
        kills = [row.signals["oom_kills"] for row in rows_in(log) if row.time_ms > begin * 1000]
        assert len(kills) == 119
        assert sum(kills) == 1
    assert [event.time_ms - T0 * 1000 for event in events_in(log)] == [61 * 60_000, 28_800_000 + 63 * 60_000]


def test_a_restarted_container_loses_no_growth_and_makes_none_up(
    serve: Serve, importer: Importer, log: EventLog
) -> None:
    """A counter that falls to 3 s has grown by 3 s since its reset; a silence of an hour is no row of an hour."""
    world, times = World(), [*minutes(1), *minutes(1, T0 + 7200)]
    totals = [10.0 * i for i in range(30)] + [3.0 + 10 * i for i in range(90)]
    world.add("container_cpu_usage_seconds_total", list(zip(times, totals, strict=True)), cpu="total", **SHOP.labels)
    importer.run(serve(world).url, 3)
    rows = rows_in(log)
    assert rows[30].signals["cpu_cores"] == pytest.approx(3 / 60)
    assert {round(row.signals["cpu_cores"] * 60) for i, row in enumerate(rows) if i not in (0, 30, 60)} == {10}
    assert rows[60].time_ms == times[60] * 1000
    assert "cpu_cores" not in rows[60].signals
    assert {row.interval_ms for row in rows} == {60_000}


def test_a_container_that_two_jobs_scrape_counts_once(serve: Serve, importer: Importer, log: EventLog) -> None:
    """The kubelet's series win over another job's, and its own /metrics/resource, which has no ids, repeats them."""
    world, times = World(), minutes(1)
    SHOP.add_to(world, times, [0.5] * len(times), [1e9] * len(times))
    memory = [(time, 2e9) for time in times]
    bare = {name: SHOP.labels[name] for name in ("namespace", "pod", "container", "job")}
    world.add("container_memory_working_set_bytes", memory, **bare, metrics_path="/metrics/resource")
    world.add("container_memory_working_set_bytes", memory, **{**SHOP.labels, "job": "cadvisor"})
    world.add("container_memory_working_set_bytes", memory, **{**SHOP.labels, "container": "POD"})
    world.add("container_memory_working_set_bytes", memory, **{**SHOP.labels, "container": ""})
    importer.run(serve(world).url, 1)
    rows = rows_in(log)
    assert len(rows) == len(times)
    assert {row.signals["memory_working_set_bytes"] for row in rows} == {1e9}


def test_disks_and_interfaces_are_added_up_and_periods_divided(serve: Serve, importer: Importer, log: EventLog) -> None:
    """Two disks of 100 and 50 bytes/s; a pod's network is that of each container in it; 30 of 600 periods throttled;
    waiting for a CPU a quarter of the time."""
    world, times = World(), minutes(1)
    SHOP.add_to(world, times, [0.5] * len(times), [1e9] * len(times))

    def grow(name: str, per_s: float, **labels: str) -> None:
        world.add(name, [(time, per_s * (time - T0)) for time in times], **labels)

    grow("container_fs_reads_bytes_total", 100, **SHOP.labels, device="/dev/sda")
    grow("container_fs_reads_bytes_total", 50, **SHOP.labels, device="/dev/sdb")
    pod = {**SHOP.labels, "container": "", "id": f"/kubepods/burstable/pod{SHOP.uid}"}
    grow("container_network_receive_bytes_total", 1000, **pod, interface="eth0")
    grow("container_network_receive_bytes_total", 24, **pod, interface="eth1")
    grow("container_cpu_cfs_periods_total", 10, **SHOP.labels)
    grow("container_cpu_cfs_throttled_periods_total", 0.5, **SHOP.labels)
    grow("container_pressure_cpu_waiting_seconds_total", 0.25, **SHOP.labels)
    importer.run(serve(world).url, 1)
    row = rows_in(log)[-1].signals
    assert row["disk_read_bytes_per_s"] == pytest.approx(150)
    assert row["network_receive_bytes_per_s"] == pytest.approx(1024)
    assert row["cpu_throttled_ratio"] == pytest.approx(0.05)
    assert row["cpu_pressure_ratio"] == pytest.approx(0.25)
    assert "network_transmit_bytes_per_s" not in row


def test_gpu_history_is_rows_of_the_pod_that_had_the_gpu(serve: Serve, importer: Importer, log: EventLog) -> None:
    """Old names before an upgrade of DCGM, new ones after; the exporter moved, so labels changed too."""
    world, times = World(), minutes(2)
    gpu = {"UUID": "GPU-aa", "modelName": "NVIDIA H100 80GB HBM3", "gpu": "0", "job": "dcgm", "namespace": "mon"}
    use = {"exported_namespace": "ml", "exported_pod": "bert-0", "exported_container": "train"}
    old = {**gpu, **use, "Hostname": "node-1", "pod": "dcgm-exporter-aaaaa", "instance": "10.0.0.1:9400"}
    new = {**gpu, **use, "hostname": "node-1", "pod": "dcgm-exporter-bbbbb", "instance": "10.0.0.2:9400"}
    before, after = times[:60], times[60:]
    world.add("DCGM_FI_DEV_GPU_UTIL", [(time, 80.0) for time in before], **old)
    world.add("DCGM_FI_DEV_GPU_UTIL", [(time, 90.0) for time in after], **new)
    world.add("DCGM_FI_PROF_SM_ACTIVE", [(time, 0.5) for time in before], **old)
    world.add("DCGM_FI_PROF_SM_UTIL_RATIO", [(time, 1.002) for time in after], **new)
    world.add("DCGM_FI_DEV_FB_USED", [(time, 1024.0) for time in after], **new)
    world.add("DCGM_FI_DEV_POWER_USAGE", [(time, 9223372036854775794.0) for time in after], **new)
    importer.run(serve(world).url, 2)
    rows = rows_in(log, "gpu")
    key = ("prod/ml/StatefulSet/bert/train", "bert-0/train", "GPU-aa", "NVIDIA H100 80GB HBM3", "")
    assert {row.keys for row in rows} == {key}
    assert [row.time_ms for row in rows] == [time * 1000 for time in times]
    assert rows[0].signals == {"gpu_utilization_ratio": 0.8, "sm_active_ratio": 0.5}
    assert rows[-1].signals == {
        "gpu_utilization_ratio": 0.9,
        "sm_active_ratio": 1.0,
        "framebuffer_used_bytes": 2.0**30,
    }


def test_a_machine_without_known_containers_is_a_workload(serve: Serve, importer: Importer, log: EventLog) -> None:
    """node-1 has containers, node-9 has none: its busy CPUs are added up, its memory is total less available."""
    world, times = World(), minutes(1)
    SHOP.add_to(world, times, [0.5] * len(times), [1e9] * len(times))
    for address, name in (("10.0.0.1:9100", "node-1"), ("10.0.0.9:9100", "node-9")):
        labels = {"instance": address, "nodename": name, "job": "node"}
        for mode, share in (("user", 0.5), ("system", 0.25), ("idle", 0.25)):
            for cpu in "01":
                grown = [(time, share * (time - T0)) for time in times]
                world.add("node_cpu_seconds_total", grown, mode=mode, cpu=cpu, **labels)
        world.add("node_memory_MemTotal_bytes", [(time, 16e9) for time in times], **labels)
        world.add("node_memory_MemAvailable_bytes", [(time, 10e9) for time in times], **labels)
    importer.run(serve(world).url, 1)
    found = by_workload(rows_in(log))
    assert found.keys() == {WEB, "prod/host/machine/node-9/"}
    last = found["prod/host/machine/node-9/"][-1].signals
    assert last == {"cpu_cores": pytest.approx(1.5), "memory_working_set_bytes": 6e9}


def test_matchers_choose_and_steps_thin_out(serve: Serve, importer: Importer, log: EventLog) -> None:
    """Only `shop`, every five minutes: cores are means of five minutes that add up to the counter's growth, memory is
    the highest of each."""
    world, times = World(), minutes(4)
    cores, memory = uses(5, len(times))
    SHOP.add_to(world, times, cores, memory)
    Container("other", "x-0", "main").add_to(world, times, cores, memory)
    importer.run(serve(world).url, 4, match='namespace="shop"', step_s=300.0)
    rows = rows_in(log)
    assert {row.keys[0] for row in rows} == {WEB}
    assert [row.time_ms for row in rows] == [(T0 + 300 * (i + 1)) * 1000 for i in range(48)]
    of_five = [slice(5 * i, 5 * i + 5) for i in range(48)]
    assert [row.signals["memory_working_set_bytes"] for row in rows] == [max(memory[part]) for part in of_five]
    used = [row.signals["cpu_cores"] for row in rows[1:]]
    assert used == pytest.approx([sum(cores[part]) / 5 for part in of_five[1:]], rel=1e-9)


def test_steps_longer_than_a_silence_lose_no_growth(serve: Serve, importer: Importer, log: EventLog) -> None:
    """Every half hour, in spans of three hours: of each step but the first the growth is known."""
    world, times = World(), minutes(12)
    SHOP.add_to(world, times, [0.5] * len(times), [1e9] * len(times))
    importer.run(serve(world).url, 12, step_s=1800.0, max_span_s=10800.0)
    rows = rows_in(log)
    assert [row.signals.get("cpu_cores") for row in rows] == [None, *[pytest.approx(0.5)] * 23]
    assert {row.interval_ms for row in rows} == {1_800_000}


def test_labels_of_the_series_name_the_cluster_when_no_setting_does(
    serve: Serve, importer: Importer, log: EventLog
) -> None:
    """Thanos and Mimir hold many clusters under a label; without one it is `prometheus`."""
    world, times = World(), minutes(1)
    world.add("container_memory_working_set_bytes", [(time, 1e9) for time in times], **SHOP.labels, cluster="east")
    labels = Container("shop", "db-0", "main").labels
    world.add("container_memory_working_set_bytes", [(time, 1e9) for time in times], **labels)
    importer.run(serve(world).url, 1, cluster="")
    assert by_workload(rows_in(log)).keys() == {
        "east/shop/Deployment/web/nginx",
        "prometheus/shop/StatefulSet/db/main",
    }


def test_an_empty_server_is_no_error(serve: Serve, importer: Importer, log: EventLog) -> None:
    """Nothing is written, and it says so."""
    imported = importer.run(serve(World()).url, 1)
    assert imported.complete
    assert imported.rows == 0
    assert rows_in(log) == []


def test_machines_and_what_can_be_seen_of_them_are_inventory(serve: Serve, importer: Importer, log: EventLog) -> None:
    """Sizes by kube-state-metrics, else by node-exporter; GPUs with their memory; a signal whose metric the server
    lacks says which and where it comes from."""
    world, times = World(), minutes(1)
    SHOP.add_to(world, times, [0.5] * len(times), [1e9] * len(times))
    for resource, size in (("cpu", 64.0), ("memory", 256e9), ("pods", 110.0)):
        world.add("kube_node_status_capacity", [(time, size) for time in times], node="node-1", resource=resource)
    for cpu in "012":
        world.add(
            "node_cpu_seconds_total", [(time, 1.0) for time in times], instance="10.0.0.9:9100", mode="idle", cpu=cpu
        )
    world.add("node_memory_MemTotal_bytes", [(time, 8e9) for time in times], instance="10.0.0.9:9100")
    gpu = {"UUID": "GPU-aa", "modelName": "NVIDIA A10", "Hostname": "node-1", "instance": "10.0.0.1:9400"}
    world.add("DCGM_FI_DEV_FB_TOTAL", [(time, 24564.0) for time in times], **gpu)
    importer.run(serve(world).url, 1)
    nodes = {node.name: node for node in nodes_in(log)}
    assert {name: (node.cpu_cores, node.memory_bytes) for name, node in nodes.items()} == {
        "node-1": (64.0, 256_000_000_000),
        "10.0.0.9": (3.0, 8_000_000_000),
    }
    assert nodes["node-1"].gpus == (Gpu("GPU-aa", "NVIDIA A10", 24564 * 2**20),)
    seen = {line.signal: line.reason for line in nodes["node-1"].coverage}
    assert seen["cpu_cores"] == seen["framebuffer_total_bytes"] == ""
    assert "container_memory_rss" in seen["memory_rss_bytes"]
    assert "counters.csv" in seen["sm_active_ratio"]


def kubernetes_node(world: World, times: list[float], node: str, cordoned: bool = False, ready: bool = True) -> None:
    """64 cores and 256 GB, of which 62 and 250 GB may be handed out."""
    for metric, cpu, memory in (("capacity", 64.0, 256e9), ("allocatable", 62.0, 250e9)):
        for resource, size in (("cpu", cpu), ("memory", memory)):
            world.add(f"kube_node_status_{metric}", [(t, size) for t in times], node=node, resource=resource)
    world.add("kube_node_spec_unschedulable", [(t, float(cordoned)) for t in times], node=node)
    for status, holds in (("true", ready), ("false", False), ("unknown", not ready)):
        labels = {"node": node, "condition": "Ready", "status": status}
        world.add("kube_node_status_condition", [(t, float(holds)) for t in times], **labels)


def requests(world: World, times: list[float], container: Container, phase: str, **amounts: float) -> None:
    who = {"namespace": container.namespace, "pod": container.pod, "uid": container.uid}
    for resource, amount in amounts.items():
        labels = {**who, "container": container.name, "node": container.node, "resource": resource}
        world.add("kube_pod_container_resource_requests", [(t, amount) for t in times], **labels)
    for one in ("Pending", "Running", "Succeeded"):
        world.add("kube_pod_status_phase", [(t, float(one == phase)) for t in times], phase=one, **who)


def test_taints_are_those_of_the_end_and_not_of_the_hour_before(
    serve: Serve, importer: Importer, log: EventLog
) -> None:
    """Of n1 a taint was taken off half an hour ago and another stands; n2 is cordoned, n3 was lost; n4 is in order. Of a
    machine without kube-state-metrics nothing is known."""
    world, times = World(), minutes(1)
    for node in ("n1", "n4"):
        kubernetes_node(world, times, node)
    kubernetes_node(world, times, "n2", cordoned=True)
    kubernetes_node(world, times, "n3", ready=False)
    world.add("kube_node_spec_taint", [(t, 1.0) for t in times[:30]], node="n1", key="old", effect="NoSchedule")
    gpu = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    world.add("kube_node_spec_taint", [(t, 1.0) for t in times], node="n1", **gpu)
    world.add("node_memory_MemTotal_bytes", [(t, 8e9) for t in times], instance="10.0.0.9:9100")
    importer.run(serve(world).url, 1)
    nodes = {node.name: node for node in nodes_in(log)}
    assert {name: node.taints for name, node in nodes.items()} == {
        "n1": (Taint("nvidia.com/gpu", "NoSchedule", "present"),),
        "n2": (CORDONED,),
        "n3": (UNREACHABLE,),
        "n4": (),
        "10.0.0.9": None,
    }
    room = (nodes["n1"].allocatable_cpu_cores, nodes["n1"].allocatable_memory_bytes)
    assert room == (62.0, 250_000_000_000)
    assert (nodes["n1"].cpu_cores, nodes["n1"].memory_bytes) == (64.0, 256_000_000_000)


def test_without_the_metric_of_taints_nobody_says_that_there_are_none(
    serve: Serve, importer: Importer, log: EventLog
) -> None:
    """It may have been dropped on the way. A cordon is known all the same."""
    world, times = World(), minutes(1)
    kubernetes_node(world, times, "n1")
    kubernetes_node(world, times, "n2", cordoned=True)
    importer.run(serve(world).url, 1)
    nodes = {node.name: node for node in nodes_in(log)}
    assert (nodes["n1"].taints, nodes["n2"].taints) == (None, (CORDONED,))
    reason = next(line.reason for line in nodes["n1"].coverage if line.signal == "taints")
    assert "kube_node_spec_taint" in reason


def test_what_pods_hold_is_what_those_that_run_have_asked_for(serve: Serve, importer: Importer, log: EventLog) -> None:
    """web runs with a GPU and is named by its Deployment, next was scheduled and pulls its image, done ended and one that
    ended half an hour ago had the GPU before web."""
    world, times = World(), minutes(1)
    kubernetes_node(world, times, "node-1")
    requests(world, times, SHOP, "Running", cpu=2.0, memory=4e9, nvidia_com_gpu=1.0)
    who = {"namespace": "shop", "pod": SHOP.pod}
    world.add("kube_pod_owner", [(t, 1.0) for t in times], owner_kind="ReplicaSet", owner_name="web-7d9f8b6c5d", **who)
    owned = {"namespace": "shop", "replicaset": "web-7d9f8b6c5d", "owner_kind": "Deployment", "owner_name": "web"}
    world.add("kube_replicaset_owner", [(t, 1.0) for t in times], **owned)
    requests(world, times, Container("shop", "next-0", "main"), "Pending", cpu=1.0)
    requests(world, times, Container("shop", "done-x", "main"), "Succeeded", cpu=8.0)
    card = {"UUID": "GPU-a", "modelName": "NVIDIA A10", "Hostname": "node-1", "instance": "10.0.0.1:9400"}
    for span, pod in ((times[:30], "before-1"), (times, SHOP.pod)):
        held = {"namespace": "shop", "pod": pod, "container": "nginx"}
        world.add("DCGM_FI_DEV_FB_TOTAL", [(t, 24564.0) for t in span], **card, **held)
    idle = {**card, "UUID": "GPU-b"}
    world.add("DCGM_FI_DEV_FB_TOTAL", [(t, 24564.0) for t in times], **idle)
    importer.run(serve(world).url, 1)
    (node,) = nodes_in(log)
    held_by_web = Allocation(WEB, f"{SHOP.pod}/nginx", 2.0, 4_000_000_000, ("GPU-a",))
    next_one = Allocation("prod/shop/StatefulSet/next/main", "next-0/main", 1.0)
    assert set(node.allocations) == {held_by_web, next_one}
    assert [gpu.uuid for gpu in node.gpus] == ["GPU-a", "GPU-b"]
    assert not any(line.signal == "gpu_holders" for line in node.coverage)


def test_of_init_containers_those_that_run_hold_what_they_asked_for(
    serve: Serve, importer: Importer, log: EventLog
) -> None:
    """A sidecar, which runs as long as its pod, and not the one that made the pod ready and ended."""
    world, times = World(), minutes(1)
    kubernetes_node(world, times, "node-1")
    requests(world, times, SHOP, "Running", cpu=2.0)
    for name, runs in (("proxy", 1.0), ("migrate", 0.0)):
        who = {"namespace": "shop", "pod": SHOP.pod, "container": name}
        labels = {**who, "node": "node-1", "resource": "cpu"}
        world.add("kube_pod_init_container_resource_requests", [(t, 0.5) for t in times], **labels)
        world.add("kube_pod_init_container_status_running", [(t, runs) for t in times], **who)
    importer.run(serve(world).url, 1)
    (node,) = nodes_in(log)
    assert {(a.instance, a.cpu_cores) for a in node.allocations} == {
        (f"{SHOP.pod}/nginx", 2.0),
        (f"{SHOP.pod}/proxy", 0.5),
    }


def test_gpus_that_pods_asked_for_and_nobody_names_are_told_as_such(
    serve: Serve, importer: Importer, log: EventLog
) -> None:
    """dcgm-exporter without its mapping to pods: that the node's GPU looks free is said to be doubtful."""
    world, times = World(), minutes(1)
    kubernetes_node(world, times, "node-1")
    requests(world, times, SHOP, "Running", cpu=2.0, nvidia_com_gpu=1.0)
    card = {"UUID": "GPU-a", "modelName": "NVIDIA A10", "Hostname": "node-1", "instance": "10.0.0.1:9400"}
    world.add("DCGM_FI_DEV_FB_TOTAL", [(t, 24564.0) for t in times], **card)
    importer.run(serve(world).url, 1)
    (node,) = nodes_in(log)
    assert [a.gpu_uuids for a in node.allocations] == [()]
    reason = next(line.reason for line in node.coverage if line.signal == "gpu_holders")
    assert reason.startswith("pods ask for 1 GPUs there and dcgm-exporter names the holders of 0")


def test_without_phases_nothing_is_said_to_stand_anywhere(serve: Serve, importer: Importer, log: EventLog) -> None:
    """Requests of pods that ended long ago are told too, and could not be told from the others."""
    world, times = World(), minutes(1)
    kubernetes_node(world, times, "node-1")
    labels = {"namespace": "a", "pod": "b", "container": "c", "node": "node-1", "resource": "cpu"}
    world.add("kube_pod_container_resource_requests", [(t, 8.0) for t in times], **labels)
    importer.run(serve(world).url, 1)
    (node,) = nodes_in(log)
    assert node.allocations == ()
    reason = next(line.reason for line in node.coverage if line.signal == "allocations")
    assert "kube_pod_status_phase" in reason


def test_a_job_goes_where_the_history_says_that_it_may(serve: Serve, importer: Importer, log: EventLog) -> None:
    """n1 is cordoned, n2 is tainted, of n3 60 of the 62 cores that may be handed out are taken, and n4 is as large and free:
    a job of 4 cores goes to n4, one that tolerates the taint to n2 as well, and one of 63 cores nowhere."""
    world, times = World(), minutes(1)
    for node in ("n1", "n2", "n3", "n4"):
        kubernetes_node(world, times, node, cordoned=node == "n1")
    world.add("kube_node_spec_taint", [(t, 1.0) for t in times], node="n2", key="team", value="ml", effect="NoSchedule")
    requests(world, times, Container("shop", "db-0", "main", "n3"), "Running", cpu=60.0, memory=8e9)
    importer.run(serve(world).url, 1)
    api = client_over(*nodes_in(log))

    def nodes_for(cores: float, *tolerations: dict[str, str]) -> set[str]:
        asked = {"cpu_cores": cores, "tolerations": list(tolerations)}
        return {one["node"] for one in api.post("/v1/place", json=asked).json()["candidates"]}

    assert nodes_for(4) == {"prod/n4"}
    assert nodes_for(4, {"key": "team", "operator": "Equal", "value": "ml"}) == {"prod/n2", "prod/n4"}
    assert nodes_for(63, {"operator": "Exists"}) == set()


@pytest.mark.parametrize(("match", "known"), [('cluster="east"', True), ('namespace=~"shop|east"', False), ("", True)])
def test_whoever_lets_some_pods_through_does_not_know_what_the_others_hold(
    serve: Serve, importer: Importer, log: EventLog, match: str, known: bool
) -> None:
    """A namespace's share of a node is no word on its free room; a cluster's is all of it."""
    world, times = World(), minutes(1)
    requests(world, times, SHOP, "Running", cpu=2.0)
    kubernetes_node(world, times, "node-1")
    east = World([replace(m, labels={"namespace": "shop", **m.labels, "cluster": "east"}) for m in world.metrics])
    importer.run(serve(east).url, 1, match=match)
    (node,) = nodes_in(log)
    assert [a.cpu_cores for a in node.allocations] == [2.0]
    (told,) = (line for line in node.coverage if line.signal == "allocations")
    assert (told.seen, "--match" in told.reason) == (known, not known)


def test_processors_are_counted_once(serve: Serve, importer: Importer, log: EventLog) -> None:
    """kube-state-metrics and node-exporter under one name tell of the same ones."""
    world, times = World(), minutes(1)
    kubernetes_node(world, times, "n1")
    for cpu in range(64):
        world.add("node_cpu_seconds_total", [(t, 1.0) for t in times], node="n1", mode="idle", cpu=str(cpu))
    importer.run(serve(world).url, 1)
    assert [node.cpu_cores for node in nodes_in(log)] == [64.0]
