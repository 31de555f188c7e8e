"""Pods and containers out of cgroup trees of Kubernetes nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.host.source import HostSource
from models.events import WorkloadEvent
from tests.collector.recorded import START, RecordedMachine, later, rows

MIB = 1 << 20
POD = "kubepods.slice/kubepods-pod11111111_2222_3333_4444_555555555555.slice"
POSTGRES = f"cgroup/{POD}/cri-containerd-{'a' * 64}.scope"
BURSTABLE = (
    "cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podaaaaaaaa_bbbb_cccc_dddd_eeeeeeeeeeee.slice"
)
POSTGRES_ID = "prod/databases/StatefulSet/postgres/postgres"
API_ID = "prod/shop/Deployment/api/api"


@pytest.fixture
def node(tmp_path: Path) -> RecordedMachine:
    return RecordedMachine.load("kubernetes-v2-systemd", tmp_path)


def test_names_are_those_of_owners_and_containers(node: RecordedMachine) -> None:
    """StatefulSet by ordinal, Deployment by hash and random tail, Pods where the kind cannot be told; no sandbox."""
    source = node.source()
    source.read(START)
    found = rows(source.read(later(1000)))
    assert set(found) - {"prod/host/command/other/", "prod/host/command/init/"} == {
        POSTGRES_ID,
        API_ID,
        "prod/shop/Deployment/api/envoy",
        "prod/monitoring/Pods/node-exporter/node-exporter",
        "prod/host/unit/kubelet.service/",
    }
    assert found[POSTGRES_ID]["instance"] == "11111111-2222-3333-4444-555555555555/aaaaaaaaaaaa"


def test_the_first_read_gives_no_row(node: RecordedMachine) -> None:
    """A row describes a span, and before the first read there is none."""
    assert rows(node.source().read(START)) == {}


def test_a_row_is_growth_over_its_span(node: RecordedMachine) -> None:
    """1.5 s of CPU in 2 s are 0.75 cores; 5 of 20 periods throttled; 40 ms waited; the stacked dm-0 is left out."""
    source = node.source()
    source.read(START)
    node.change(f"{POSTGRES}/cpu.stat", "usage_usec 390000000", "usage_usec 391500000")
    node.change(f"{POSTGRES}/cpu.stat", "nr_periods 5000", "nr_periods 5020")
    node.change(f"{POSTGRES}/cpu.stat", "nr_throttled 100", "nr_throttled 105")
    node.change(f"{POSTGRES}/cpu.pressure", "total=2000000", "total=2040000")
    node.write(
        f"{POSTGRES}/io.stat",
        "259:0 rbytes=1004000 wbytes=2010000 rios=1 wios=1 dbytes=0 dios=0\n"
        "253:0 rbytes=9000000 wbytes=9000000 rios=1 wios=1 dbytes=0 dios=0\n",
    )
    node.change("proc/4001/net/dev", "eth0: 5000000", "eth0: 5006000")
    row = rows(source.read(later(2000)))[POSTGRES_ID]
    assert row == {
        "instance": "11111111-2222-3333-4444-555555555555/aaaaaaaaaaaa",
        "time_ms": START.wall_ms + 2000,
        "interval_ms": 2000,
        "cpu_cores": 0.75,
        "cpu_throttled_ratio": 0.25,
        "cpu_pressure_ratio": 0.02,
        "memory_pressure_ratio": 0.0,
        "io_pressure_ratio": 0.0,
        "cpu_request_cores": 2.0,
        "cpu_limit_cores": 2.0,
        "memory_working_set_bytes": (2000 - 64) * MIB,
        "memory_rss_bytes": 1900 * MIB,
        "memory_request_bytes": 4096 * MIB,
        "memory_limit_bytes": 4096 * MIB,
        "disk_read_bytes_per_s": 2000.0,
        "disk_write_bytes_per_s": 5000.0,
        "network_receive_bytes_per_s": 3000.0,
        "network_transmit_bytes_per_s": 0.0,
        "oom_kills": 0,
    }


def test_dear_counters_are_means_over_five_reads(node: RecordedMachine) -> None:
    """10 MB read in second 3: seen at the next of every fifth read as 2 MB/s over five seconds, and shown for five
    rows, so that what the rows add up to is what was read. CPU time is looked at every time."""
    source = node.source()
    source.read(START)
    source.read(later(1000))
    shown = []
    for second in range(2, 16):
        if second == 3:
            node.change(f"{POSTGRES}/io.stat", "259:0 rbytes=1000000", "259:0 rbytes=11000000")
            node.change(f"{POSTGRES}/cpu.stat", "usage_usec 390000000", "usage_usec 390400000")
        row = rows(source.read(later(second * 1000)))[POSTGRES_ID]
        shown.append(row["disk_read_bytes_per_s"])
        assert row["cpu_cores"] == (0.4 if second == 3 else 0.0)
    rate = max(shown, key=float)  # type: ignore[arg-type]  # the first turn may come sooner than five reads
    assert rate in [10e6 / span for span in (2, 3, 4, 5)]
    assert shown.count(rate) == 5
    assert shown.count(0.0) == len(shown) - 5


def test_requests_of_a_burstable_pod_come_back_from_the_kernel(node: RecordedMachine) -> None:
    """Asked: api 500m and 1 GiB, envoy 100m and 128 MiB. A linear weight is right to 13m, memory to 16 MiB / 2."""
    source = node.source()
    source.read(START)
    found = rows(source.read(later(1000)))
    api, envoy = found[API_ID], found["prod/shop/Deployment/api/envoy"]
    assert api["cpu_request_cores"] == pytest.approx(0.5, abs=0.013)
    assert envoy["cpu_request_cores"] == pytest.approx(0.1, abs=0.013)
    assert api["memory_request_bytes"] == pytest.approx(1024 * MIB, abs=16 * MIB / 2 + MIB)
    assert envoy["memory_request_bytes"] == pytest.approx(128 * MIB, abs=16 * MIB / 2 + MIB)
    assert api["memory_limit_bytes"] == 2048 * MIB
    assert "cpu_limit_cores" not in api


def test_besteffort_has_no_request(node: RecordedMachine) -> None:
    """Weight 1 and oom_score_adj 1000 are what a container without requests gets."""
    source = node.source()
    source.read(START)
    row = rows(source.read(later(1000)))["prod/monitoring/Pods/node-exporter/node-exporter"]
    assert {"cpu_request_cores", "memory_request_bytes", "memory_limit_bytes"} & set(row) == set()


def test_host_network_is_missing_and_not_zero(node: RecordedMachine) -> None:
    """node-exporter's process has the namespace of process 1."""
    source = node.source()
    source.read(START)
    row = rows(source.read(later(1000)))["prod/monitoring/Pods/node-exporter/node-exporter"]
    assert "network_receive_bytes_per_s" not in row


def test_a_container_that_starts_and_ends_is_told(node: RecordedMachine) -> None:
    """Its cgroup appears: started. It is gone: ended. What was there at the first read did not start now."""
    source = node.source()
    assert source.read(START).events == []
    new = f"{BURSTABLE}/cri-containerd-{'f' * 64}.scope"
    node.write(f"{new}/cpu.stat", "usage_usec 5\n")
    node.write(f"{new}/cgroup.procs", "")
    (node.root / f"host/var/log/containers/job-28394520-k8x2p_batch_job-{'f' * 64}.log").symlink_to("x")
    started = source.read(later(1000)).events
    assert [(event.kind, event.workload) for event in started] == [("started", "prod/batch/CronJob/job/job")]
    node.remove(new)
    ended = source.read(later(2000)).events
    assert ended == [
        WorkloadEvent(
            "ended",
            "prod/batch/CronJob/job/job",
            "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/ffffffffffff",
            "n1",
            START.wall_ms + 2000,
        )
    ]


def test_a_new_container_has_its_limits_from_its_first_row(node: RecordedMachine) -> None:
    """It is not left without until the next round over all limits, which is half a minute away."""
    source = node.source()
    source.read(START)
    new = f"{BURSTABLE}/cri-containerd-{'f' * 64}.scope"
    node.write(f"{new}/cpu.stat", "usage_usec 5\n")
    node.write(f"{new}/cpu.max", "150000 100000\n")
    node.write(f"{new}/cgroup.procs", "")
    (node.root / f"host/var/log/containers/web-7d9c8b6f5-k8x2p_shop_web-{'f' * 64}.log").symlink_to("x")
    source.read(later(1000))
    row = rows(source.read(later(2000)))["prod/shop/Deployment/web/web"]
    assert row["cpu_limit_cores"] == 1.5


def test_an_oom_kill_in_a_living_container_is_counted(node: RecordedMachine) -> None:
    """A worker was killed and memory fell: one kill in the row, and an event."""
    source = node.source()
    source.read(START)
    node.change(f"{POSTGRES}/memory.events", "oom_kill 0", "oom_kill 1")
    node.change(f"{POSTGRES}/memory.current", str(2000 * MIB), str(1000 * MIB))
    reading = source.read(later(1000))
    assert rows(reading)[POSTGRES_ID]["oom_kills"] == 1
    assert [(e.kind, e.workload, e.details) for e in reading.events] == [("oom-killed", POSTGRES_ID, {"kills": "1"})]


def test_a_container_killed_as_a_whole_is_seen_in_its_pod(node: RecordedMachine) -> None:
    """Its cgroup took its own count along; the pod's memory.events still has it."""
    source = node.source()
    source.read(START)
    source.read(later(1000))
    node.change(f"cgroup/{POD}/memory.events", "oom_kill 0", "oom_kill 1")
    node.remove(POSTGRES)
    events = source.read(later(2000)).events
    assert [(e.kind, e.workload) for e in events] == [("oom-killed", POSTGRES_ID), ("ended", POSTGRES_ID)]


def test_a_container_made_anew_at_the_same_path_starts_from_zero(node: RecordedMachine, tmp_path: Path) -> None:
    """Another inode is another cgroup: no growth is computed between the two."""
    source = node.source()
    source.read(START)
    files = {file.name: file.read_text() for file in (node.root / POSTGRES).iterdir()}
    (node.root / POSTGRES).rename(tmp_path / "old")  # keeps the old inode busy, so that the new one differs
    for name, text in files.items():
        node.write(f"{POSTGRES}/{name}", text)
    reading = source.read(later(1000))
    assert POSTGRES_ID not in rows(reading)
    assert [event.kind for event in reading.events] == ["ended", "started"]


def test_a_name_that_comes_late_loses_no_time(node: RecordedMachine) -> None:
    """The link in /var/log/containers appears after 3 s; the first row then covers all 4 s since the cgroup was seen."""
    link = next((node.root / "host/var/log/containers").glob("postgres-0*"))
    name = link.name
    link.unlink()
    (node.root / "host/var/log/pods/databases_postgres-0_11111111-2222-3333-4444-555555555555").mkdir(parents=True)
    source = node.source()
    source.read(START)
    assert POSTGRES_ID not in rows(source.read(later(1000)))
    link.symlink_to(name)
    source.read(later(3000))
    node.change(f"{POSTGRES}/cpu.stat", "usage_usec 390000000", "usage_usec 391000000")
    row = rows(source.read(later(4000)))[POSTGRES_ID]
    assert (row["cpu_cores"], row["interval_ms"]) == (1.0, 1000)


def test_without_names_ids_stand_in_and_coverage_says_so(node: RecordedMachine) -> None:
    """After a minute without any name a container goes by its ids; the node says which folder to mount."""
    node.remove("host")
    source = node.source()
    for ms in (0, 61_000, 62_000):
        reading = source.read(later(ms))
    name = f"prod//Pod/11111111-2222-3333-4444-555555555555/{'a' * 12}"
    assert name in rows(reading)
    node_line = source.read(later(75_000)).node
    assert node_line is not None
    (missing,) = [c for c in node_line.coverage if c.signal == "workload"]
    assert "mount the node's /var/log" in missing.reason


def test_v1_reads_shares_quota_hierarchical_memory_and_kills(tmp_path: Path) -> None:
    """cgroup v1, cgroupfs driver: 512 shares are 0.5 cores; the limit is the hierarchical one; PSI is not there."""
    node = RecordedMachine.load("kubernetes-v1-cgroupfs", tmp_path)
    folder = f"kubepods/burstable/podaaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/{'b' * 64}"
    source = node.source()
    source.read(START)
    node.write(f"cgroup/cpu,cpuacct/{folder}/cpuacct.usage", f"{40 * 10**9 + 250_000_000}\n")
    row = rows(source.read(later(1000)))["prod/batch/CronJob/worker/worker"]
    assert row == {
        "instance": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/bbbbbbbbbbbb",
        "time_ms": START.wall_ms + 1000,
        "interval_ms": 1000,
        "cpu_cores": 0.25,
        "cpu_throttled_ratio": 0.0,
        "cpu_request_cores": 0.5,
        "cpu_limit_cores": 1.0,
        "memory_working_set_bytes": 440 * MIB,
        "memory_rss_bytes": 400 * MIB,
        "memory_request_bytes": pytest.approx(62.5 * 16 * 1024 * MIB / 1000),
        "memory_limit_bytes": 1024 * MIB,
        "disk_read_bytes_per_s": 0.0,
        "disk_write_bytes_per_s": 0.0,
        "network_receive_bytes_per_s": 0.0,
        "network_transmit_bytes_per_s": 0.0,
        "oom_kills": 0,
    }


def test_v1_guaranteed_without_a_qos_folder(tmp_path: Path) -> None:
    """kubepods/pod<uid> is guaranteed: requests are the limits."""
    source = RecordedMachine.load("kubernetes-v1-cgroupfs", tmp_path).source()
    source.read(START)
    row = rows(source.read(later(1000)))["prod/shop/StatefulSet/cache/redis"]
    assert (row["cpu_request_cores"], row["memory_request_bytes"]) == (2.0, 2048 * MIB)


def test_v1_says_why_there_is_no_pressure(tmp_path: Path) -> None:
    """A kernel without PSI is a reason with a mend, not zeros."""
    source = RecordedMachine.load("kubernetes-v1-cgroupfs", tmp_path).source()
    lines = _coverage(source)
    assert lines["cpu_pressure_ratio"] == (False, "the kernel keeps no pressure (PSI) here; boot it with psi=1")
    assert lines["cpu_cores"] == (True, "")


def test_crio_labels_say_the_owner(tmp_path: Path) -> None:
    """CRI-O's config.json holds the pod's labels: DaemonSet, Job and Deployment are told apart by them; conmon and
    the sandbox are no workloads."""
    source = RecordedMachine.load("kubernetes-v2-crio", tmp_path).source()
    source.read(START)
    found = rows(source.read(later(1000)))
    assert set(found) - {"prod/host/command/other/", "prod/host/command/init/"} == {
        "prod/logging/DaemonSet/log-agent/agent",
        "prod/ml/Job/train-resnet/trainer",
        "prod/shop/Deployment/web-abc/web",
    }


def test_allocations_are_in_the_inventory(node: RecordedMachine) -> None:
    """The node says what each instance was promised."""
    source = node.source()
    source.read(START)
    described = source.read(later(11_000)).node
    assert described is not None
    promised = {a.workload: (a.cpu_cores, a.memory_bytes) for a in described.allocations}
    assert promised[POSTGRES_ID] == (2.0, 4096 * MIB)


def _coverage(source: HostSource) -> dict[str, tuple[bool, str]]:
    source.read(START)
    described = source.read(later(11_000)).node
    assert described is not None
    return {c.signal: (c.seen, c.reason) for c in described.coverage if c.source == "host/cgroup"}
