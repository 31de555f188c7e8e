"""Samples of many series into wide rows: rates, siblings, gaps, restarts, names."""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.listen.layout import Form
from collector.listen.rates import differentiated
from collector.listen.refusal import Fate
from collector.listen.series import Standing
from collector.listen.wire import Samples
from collector.rates import growth
from tests.collector.listen.bodies import Labels, Sent, container
from tests.collector.listen.box import T0, Box, column
from tests.collector.listen.conftest import MakeBox

CPU, MEMORY = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
STEP = 15_000
WEB = "prod/shop/Deployment/web/app"
POD = "web-7c9f5d8b6c-x2v4z"


def every(labels: Labels, values: list[float], start_ms: int = T0, step_ms: int = STEP) -> list[Sent]:
    """A series of its own for each sample, as Prometheus sends them."""
    return [(labels, [(start_ms + i * step_ms, value)]) for i, value in enumerate(values)]


@pytest.mark.parametrize("version", [1, 2])
def test_a_counter_is_cores_and_a_level_is_itself(box: Box, version: int) -> None:
    """100, 130, 145 seconds of CPU at 15 s: 2 cores, then 1; of the first sample nothing is known before."""
    box.push([*every(container(CPU, POD), [100, 130, 145]), *every(container(MEMORY, POD), [1e9, 2e9, 3e9])], version)
    rows = box.settled()
    assert column(rows, "time_ms") == [T0 + STEP, T0 + 2 * STEP]
    assert column(rows, "interval_ms") == [STEP, STEP]
    assert column(rows, "cpu_cores") == [2.0, 1.0]
    assert column(rows, "memory_working_set_bytes") == [2e9, 3e9]
    assert column(rows, "workload") == [WEB, WEB]


@given(st.lists(st.integers(0, 2**50), min_size=2, max_size=20))
def test_growth_is_that_of_the_scalar_rule(counts: list[int]) -> None:
    """For counters that do not reach the top quarter of 64 bits, where a fall is a reset: the same as
    collector.rates.growth, pair by pair."""
    times = T0 + 1000 * np.arange(len(counts))
    samples = Samples(np.zeros(len(counts), np.int32), times, np.array(counts, np.float64))
    out = differentiated(samples, np.full(len(counts), Form.GROWTH, np.int8), Standing.empty(1), 600.0)
    assert np.isnan(out[0])
    assert out[1:].tolist() == [growth(a, b) for a, b in pairwise(counts)]


def test_throttling_is_periods_over_periods(box: Box) -> None:
    """30 of 150 periods throttled: 0.2. No period at all: 0, not a division by it."""
    throttled = every(container("container_cpu_cfs_throttled_periods_total", POD), [0, 30, 30])
    periods = every(container("container_cpu_cfs_periods_total", POD), [0, 150, 150])
    box.push([*throttled, *periods])
    assert column(box.settled(), "cpu_throttled_ratio") == [0.2, 0.0]


def test_disks_are_added_up_each_with_its_own_resets(box: Box) -> None:
    """One disk grows by 1,500 bytes, the other was reset and shows 3,000: (1,500 + 3,000) / 15 s = 300 bytes/s."""
    name = "container_fs_reads_bytes_total"
    box.push([*every(container(CPU, POD), [0, 15]), *every(container(name, POD, device="/dev/sda"), [500, 2000])])
    box.push(every(container(name, POD, device="/dev/sdb"), [9000, 3000]))
    assert column(box.settled(), "disk_read_bytes_per_s") == [300.0]


def test_siblings_may_come_later_in_another_request(box: Box) -> None:
    """CPU of a scrape comes before, memory after the first reading: still one row."""
    box.push(every(container(CPU, POD), [0, 15]))
    assert box.rows() == []
    box.push(every(container(MEMORY, POD), [5e8, 6e8]))
    (row,) = box.rows()
    assert (row["cpu_cores"], row["memory_working_set_bytes"]) == (1.0, 6e8)


@given(st.permutations(range(12)), st.integers(1, 12), st.data())
def test_order_and_requests_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], size: int, data: st.DataObject
) -> None:
    """Three series of four samples in any order, split into requests of either version, some sent twice: the same rows,
    whatever arrived before the first reading."""
    name = "container_fs_reads_bytes_total"
    series = every(container(CPU, POD), [0, 15, 45, 60]) + every(container(MEMORY, POD), [1, 2, 3, 4])
    series += every(container(name, POD, device="/dev/sda"), [0, 150, 30, 60])
    with Box(tmp_path_factory.mktemp("order")) as box:
        shuffled = [series[i] for i in order]
        for at in range(0, len(shuffled), size):
            for _ in range(data.draw(st.integers(1, 2))):
                box.push(shuffled[at : at + size], version=data.draw(st.sampled_from([1, 2])))
        rows = box.settled()
    assert column(rows, "cpu_cores") == [1.0, 2.0, 1.0]
    assert column(rows, "memory_working_set_bytes") == [2.0, 3.0, 4.0]
    assert column(rows, "disk_read_bytes_per_s") == [10.0, 2.0, 2.0]  # 30 after 150: a reset, 30 since zero


def test_a_retry_changes_nothing(box: Box) -> None:
    """The same request again, before its rows are made and after: the same rows, once."""
    samples = every(container(CPU, POD), [0, 15])
    box.push(samples)
    box.push(samples)
    assert column(box.settled(), "cpu_cores") == [1.0]
    box.push(samples)
    assert box.settled() == []


def test_a_stale_marker_ends_a_series(box: Box) -> None:
    """The target goes away and comes back within 15 s: no growth and no row across the marker."""
    box.push(every(container(CPU, POD), [0, 15, STALE, 100, 130]))
    rows = box.settled()
    assert column(rows, "time_ms") == [T0 + STEP, T0 + 4 * STEP]
    assert column(rows, "cpu_cores") == [1.0, 2.0]


def test_a_gap_is_not_described_by_a_row(box: Box) -> None:
    """Silent for 20 minutes, over max_gap_s = 600: the counter starts anew."""
    box.push(every(container(CPU, POD), [0, 15]))
    box.now_ms = T0 + 1_200_000
    box.push(every(container(CPU, POD), [900, 915], start_ms=box.now_ms))
    assert column(box.settled(), "time_ms") == [T0 + STEP, T0 + 1_200_000 + STEP]


def test_requests_and_limits_are_in_every_row(box: Box) -> None:
    """kube-state-metrics has other times, and no container ids: its newest value is in each row of the container."""
    size = {"namespace": "shop", "pod": POD, "container": "app", "job": "kube-state-metrics"}
    request = {**size, "__name__": "kube_pod_container_resource_requests", "resource": "cpu", "unit": "core"}
    limit = {**size, "__name__": "kube_pod_container_resource_limits", "resource": "memory", "unit": "byte"}
    box.push([(request, [(T0 - 7000, 0.5)]), (limit, [(T0 - 7000, 2e9)]), *every(container(CPU, POD), [0, 15, 30])])
    rows = box.settled()
    assert column(rows, "cpu_request_cores") == [0.5, 0.5]
    assert column(rows, "memory_limit_bytes") == [2e9, 2e9]


def test_a_pods_network_is_that_of_each_of_its_containers(box: Box) -> None:
    """1,500 bytes in 15 s on eth0 and as many on eth1, sampled 4 s before the containers: 200 bytes/s in both rows."""
    name = "container_network_receive_bytes_total"
    for card in ("eth0", "eth1"):
        labels = {**container(name, POD, interface=card), "container": ""}
        box.push(every(labels, [0, 1500], start_ms=T0 - 4000))
    box.push([*every(container(CPU, POD), [0, 15]), *every(container(CPU, POD, container="proxy"), [0, 15])])
    rows = box.settled()
    assert column(rows, "workload") == [WEB, "prod/shop/Deployment/web/proxy"]
    assert column(rows, "network_receive_bytes_per_s") == [200.0, 200.0]


def test_owners_name_workloads(box: Box) -> None:
    """A pod whose name tells nothing gets the name of its Job's CronJob, once kube-state-metrics tells."""
    box.push(every(container(CPU, "runner"), [0, 15]))
    assert column(box.settled(), "workload") == ["prod/shop/Pod/runner/app"]
    owner = {"__name__": "kube_pod_owner", "namespace": "shop", "pod": "runner", "owner_kind": "Job", "owner_name": "j"}
    job = {"__name__": "kube_job_owner", "namespace": "shop", "job_name": "j", "owner_kind": "CronJob"}
    box.push([(owner, [(T0, 1.0)]), ({**job, "owner_name": "nightly"}, [(T0, 1.0)])])
    box.push(every(container(CPU, "runner"), [30], start_ms=T0 + 2 * STEP))
    assert column(box.settled(), "workload") == ["prod/shop/CronJob/nightly/app"]


def test_an_oom_kill_is_an_event_and_counts_in_the_next_row(box: Box) -> None:
    """The restarts go from 3 to 4; its reason shows one scrape later. A restart for another reason is none."""
    state = {"namespace": "shop", "pod": POD, "container": "app", "job": "kube-state-metrics"}
    restarts = {**state, "__name__": "kube_pod_container_status_restarts_total"}
    reason = {**state, "__name__": "kube_pod_container_status_last_terminated_reason"}
    box.push([*every(container(CPU, POD), [0, 15, 30, 45, 60]), *every(restarts, [3, 3, 4, 4, 4], T0 - 1000)])
    box.push(every({**reason, "reason": "OOMKilled"}, [1, 1], T0 - 1000 + 3 * STEP))
    box.push(
        [*every({**restarts, "container": "proxy"}, [0, 1]), *every(container(CPU, POD, container="proxy"), [0, 15])]
    )
    box.push(every({**reason, "container": "proxy", "reason": "Error"}, [1, 1]))
    rows = box.settled()
    assert column(rows, "oom_kills") == [0.0, 1.0, 0.0, 0.0, 0.0]
    assert [(event.kind, event.workload, event.time_ms) for event in box.events] == [
        ("oom-killed", WEB, T0 - 1000 + 2 * STEP)
    ]


def test_two_scrape_jobs_of_one_kubelet_count_once(box: Box) -> None:
    """The same disk through a second job does not double it."""
    name = "container_fs_reads_bytes_total"
    for job in ("kubelet", "kubelet-again"):
        box.push(every(container(name, POD, device="/dev/sda", job=job), [0, 1500]))
    assert column(box.settled(), "disk_read_bytes_per_s") == [100.0]


def test_the_other_replica_steps_in(box: Box) -> None:
    """Two Prometheus of one cluster push the same: one counts. It falls silent for over five minutes: the other does,
    and when the first is back it waits its turn."""
    disk = container("container_fs_reads_bytes_total", POD, device="/dev/sda")

    def push(replicas: str, minute: int, value: float) -> None:
        box.now_ms = T0 + 60_000 * minute
        for replica in replicas:
            box.push([({**disk, "prometheus_replica": replica}, [(box.now_ms, value)])])

    for minute in range(3):
        push("ab", minute, 6000.0 * minute)
    assert column(box.settled(), "disk_read_bytes_per_s") == [100.0, 100.0]
    for minute in range(3, 12):
        push("b", minute, 6000.0 * minute)
        box.settled()
    for minute in range(12, 14):
        push("ab", minute, 6000.0 * minute)
    assert column(box.settled(), "disk_read_bytes_per_s") == [100.0, 100.0]


def test_a_container_without_an_id_is_left_to_the_one_with(box: Box) -> None:
    """The kubelet's /metrics/resource tells once more what cAdvisor told."""
    box.push([*every(container(CPU, POD), [0, 15]), *every({**container(CPU, POD), "id": ""}, [0, 15], T0 + 1)])
    assert len(box.settled()) == 1


def test_a_machine_is_a_workload_only_where_no_container_is_known(box: Box) -> None:
    """node-1 runs a known container, node-2 does not: cores without idle time, memory that is not available."""
    for node, address in (("node-1", "10.0.0.1:9100"), ("node-2", "10.0.0.2:9100")):
        labels = {"job": "node-exporter", "node": node, "instance": address}
        for cpu in ("0", "1"):
            busy = {**labels, "__name__": "node_cpu_seconds_total", "cpu": cpu, "mode": "user"}
            box.push([*every(busy, [0, 15]), *every({**busy, "mode": "idle"}, [0, 100])])
        box.push(every({**labels, "__name__": "node_memory_MemTotal_bytes"}, [8e9, 8e9]))
        box.push(every({**labels, "__name__": "node_memory_MemAvailable_bytes"}, [6e9, 5e9]))
    box.push(every(container(CPU, POD), [0, 15]))
    machine, web = box.settled()
    assert (machine["workload"], web["workload"]) == ("prod/host/machine/node-2/", WEB)
    assert (machine["cpu_cores"], machine["memory_working_set_bytes"]) == (2.0, 3e9)


def gpu(field: str, **more: str) -> Labels:
    base = {
        "UUID": "GPU-1",
        "modelName": "NVIDIA H100 80GB HBM3",
        "Hostname": "gpu-1",
        "namespace": "ml",
        "pod": "train-0",
    }
    return {**base, "__name__": f"DCGM_FI_{field}", "container": "main", "gpu": "0", **more}


def test_gpus_have_rows_of_their_own(box: Box) -> None:
    """Percent are ratios, MiB are bytes, a ratio of 1.02 is 1, and DCGM's blank is nothing."""
    box.push([*every(gpu("DEV_GPU_UTIL"), [50, 80]), *every(gpu("DEV_FB_USED"), [1024, 2048])])
    box.push([*every(gpu("PROF_DRAM_ACTIVE"), [0.5, 1.02]), *every(gpu("DEV_POWER_USAGE"), [9.3e18, 9.3e18])])
    (row,) = box.settled("gpu")
    assert (row["workload"], row["gpu_uuid"]) == ("prod/ml/StatefulSet/train/main", "GPU-1")
    assert (row["gpu_utilization_ratio"], row["framebuffer_used_bytes"]) == (pytest.approx(0.8), 2048 * 2**20)
    assert row["dram_active_ratio"] == 1.0
    assert "power_watts" not in row


def test_late_and_repeated_samples_are_counted(make_box: MakeBox) -> None:
    """A row is out: a sample before its newest comes too late, the newest again is a duplicate."""
    counts: dict[tuple[str, str], float] = {}

    class Meter:
        def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
            key = name, labels.get("fate", "")
            counts[key] = counts.get(key, 0) + amount

        def gauge(self, name: str, value: float, **labels: str) -> None: ...

        def observe(self, name: str, value: float, **labels: str) -> None: ...

    box = make_box(meter=Meter())
    box.push(every(container(CPU, POD), [0, 15, 30]))
    box.settled()
    box.push(every(container(CPU, POD), [15, 30], start_ms=T0 + STEP))
    box.settled()
    assert counts["sizewise_listen_dropped_samples_total", Fate.LATE] == 1
    assert counts["sizewise_listen_dropped_samples_total", Fate.DUPLICATE] == 1
