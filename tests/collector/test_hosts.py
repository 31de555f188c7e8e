"""Slurm nodes, desktops and bare machines."""

from __future__ import annotations

from pathlib import Path

from collector.source import Reading
from tests.collector.recorded import START, RecordedMachine, later, rows

MIB = 1 << 20


def test_slurm_v2_steps_carry_job_name_account_and_cluster(tmp_path: Path) -> None:
    """SLURM_JOB_NAME and SLURM_JOB_ACCOUNT of a process in the step; CPUs and memory of the allocation as requests."""
    machine = RecordedMachine.load("slurm-v2", tmp_path)
    source = machine.source()
    source.read(START)
    found = rows(source.read(later(1000)))
    step = found["prod/vision/slurm-job/resnet50-train/0"]
    assert step["instance"] == "4711.0@n1"
    assert (step["cpu_request_cores"], step["memory_request_bytes"]) == (16.0, 32768 * MIB)
    assert step["memory_limit_bytes"] == 32768 * MIB
    assert "prod/vision/slurm-job/resnet50-train/batch" in found
    assert "prod/host/unit/slurmd.service/" in found


def test_nothing_else_of_a_jobs_environment_gets_out(tmp_path: Path) -> None:
    """The environment holds API_TOKEN=hunter2; no row, event or inventory does."""
    source = RecordedMachine.load("slurm-v2", tmp_path).source()
    readings = [source.read(later(ms)) for ms in (0, 1000, 61_000, 62_000)]
    assert "hunter2" not in repr(readings)
    assert b"hunter2" not in source.state()


def test_a_slurm_job_whose_environment_is_closed_goes_by_its_number(tmp_path: Path) -> None:
    """Step extern of job 4712 has no process to ask; after a minute its id stands in, and coverage says why."""
    source = RecordedMachine.load("slurm-v2", tmp_path).source()
    for ms in (0, 61_000, 62_000):
        found = rows(source.read(later(ms)))
    assert found["prod//slurm-job/job-4712/extern"]["instance"] == "4712.extern@n1"
    node = source.read(later(75_000)).node
    assert node is not None
    assert any("job steps go by their ids" in line.reason for line in node.coverage)


def test_slurm_v1_steps(tmp_path: Path) -> None:
    """uid_/job_/step_ of v1; the processes are in task_0 below the step."""
    source = RecordedMachine.load("slurm-v1", tmp_path).source()
    source.read(START)
    row = rows(source.read(later(1000)))["prod/genomics/slurm-job/align/batch"]
    assert (row["instance"], row["cpu_request_cores"]) == ("99.batch@n1", 8.0)
    assert row["memory_working_set_bytes"] == 1900 * MIB
    assert row["memory_request_bytes"] == 4096 * MIB  # the step's limit, where Slurm does not say


def test_a_desktop_shows_units_applications_and_what_runs_in_terminals(tmp_path: Path) -> None:
    """Units by name without what is generated; what a terminal or an SSH session runs by its own name; a compose
    service by project and service."""
    source = RecordedMachine.load("systemd-v2", tmp_path).source(group_min_age_s=0)
    source.read(START)
    found = rows(source.read(later(1000)))
    assert set(found) - {"prod/host/command/other/"} == {
        "prod/host/unit/nginx.service/",
        "prod/host/unit/postgresql@15-main.service/",
        "prod/host/unit/sshd@.service/",
        "prod/host/user-unit/org.mozilla.firefox/",
        "prod/host/user-unit/syncthing.service/",
        "prod/host/command/train.py/",
        "prod/host/command/billing.jar/",
        "prod/host/command/init/",
        "prod/host/container/shop:cache/",
    }
    nginx = found["prod/host/unit/nginx.service/"]
    assert (nginx["cpu_limit_cores"], nginx["memory_limit_bytes"]) == (0.5, 512 * MIB)
    assert found["prod/host/unit/sshd@.service/"]["memory_limit_bytes"] == 8192 * MIB  # its slice's limit binds
    assert "network_receive_bytes_per_s" in found["prod/host/container/shop:cache/"]


def started(reading: Reading) -> set[str]:
    return {event.workload for event in reading.events if event.kind == "started"}


def test_a_hybrid_machine_without_units_is_grouped_by_command(tmp_path: Path) -> None:
    """Two workers of train.py are one workload: 0.3 + 0.1 cores; memory is all anonymous parts and one shared part."""
    machine = RecordedMachine.load("hybrid-bare", tmp_path)
    source = machine.source(group_min_age_s=0)
    source.read(START)
    machine.change("proc/100/stat", " 1000 200 0 0 ", " 1025 205 0 0 ")
    machine.change("proc/101/stat", " 500 100 0 0 ", " 505 105 0 0 ")
    machine.change("proc/100/io", "read_bytes: 1000000", "read_bytes: 1005000")
    row = rows(source.read(later(1000)))["prod/host/command/train.py/"]
    assert row == {
        "instance": "n1/command/train.py",
        "time_ms": START.wall_ms + 1000,
        "interval_ms": 1000,
        "cpu_cores": 0.4,
        "memory_working_set_bytes": (40_000 + 30_000 + 10_000) * 4096,
        "memory_rss_bytes": (40_000 + 30_000) * 4096,
        "disk_read_bytes_per_s": 5000.0,
        "disk_write_bytes_per_s": 0.0,
    }


def test_young_groups_are_other_until_they_last(tmp_path: Path) -> None:
    """A program that started 1 s before the collector is counted in `other`, 0.5 cores, until it was seen for 10 s;
    then it is a workload of its own, and says that it started."""
    machine = RecordedMachine.load("hybrid-bare", tmp_path)
    ticks = START.steady_ms // 10
    stat = (machine.root / "proc/200/stat").read_text().replace("200 (bash)", "300 (tool)", 1)
    fields = stat.rsplit(")", 1)[1].split()
    fields[11:13], fields[19] = ["0", "0"], str(ticks - 100)
    machine.write("proc/300/stat", f"300 (tool) {' '.join(fields)}\n")
    machine.write("proc/300/cmdline", "/bin/tool\0")
    machine.write("proc/300/cgroup", "2:cpuacct:/\n0::/\n")
    source = machine.source()
    source.read(START)
    fields[11] = "50"
    machine.write("proc/300/stat", f"300 (tool) {' '.join(fields)}\n")
    assert rows(source.read(later(1000)))["prod/host/command/other/"]["cpu_cores"] == 0.5
    assert started(source.read(later(9000))) == set()
    assert started(source.read(later(10_000))) == {"prod/host/command/tool/"}


def test_what_ran_before_the_collector_is_named_at_once(tmp_path: Path) -> None:
    """It is no part of `other`, not even in the first row, and it did not start just now."""
    machine = RecordedMachine.load("hybrid-bare", tmp_path)
    source = machine.source()
    assert started(source.read(START)) == set()
    machine.change("proc/100/stat", " 1000 200 0 0 ", " 1050 200 0 0 ")
    found = rows(source.read(later(1000)))
    assert found["prod/host/command/train.py/"]["cpu_cores"] == 0.5
    assert {"prod/host/command/bash/", "prod/host/command/init/"} <= found.keys()
    assert found.get("prod/host/command/other/", {"cpu_cores": 0.0})["cpu_cores"] == 0.0


def test_the_number_of_groups_is_bounded(tmp_path: Path) -> None:
    """With room for three, 40 more commands make no new workload; what they use is in `other`: 40 x 0.05 cores."""
    machine = RecordedMachine.load("hybrid-bare", tmp_path)
    source = machine.source(group_min_age_s=0, max_process_groups=3)
    source.read(START)
    first = set(rows(source.read(later(1000))))
    stat = (machine.root / "proc/200/stat").read_text().replace(" 5 0 100 0 ", " 0 0 0 0 ")
    for pid in range(300, 340):
        machine.write(f"proc/{pid}/stat", stat.replace("200 (bash)", f"{pid} (tool{pid})", 1))
        machine.write(f"proc/{pid}/cmdline", f"/bin/tool{pid}\0")
        machine.write(f"proc/{pid}/cgroup", "2:cpuacct:/\n0::/\n")
    source.read(later(2000))
    for pid in range(300, 340):
        machine.change(f"proc/{pid}/stat", " 0 0 0 0 20 ", " 5 0 0 0 20 ")
    found = rows(source.read(later(3000)))
    assert len(first) == 3
    assert set(found) == first | {"prod/host/command/other/"}
    assert found["prod/host/command/other/"]["cpu_cores"] == 2.0


def test_the_inventory_describes_the_machine(tmp_path: Path) -> None:
    """CPU, memory, NUMA, disks and cards without virtual ones, kernel features."""
    node = RecordedMachine.load("kubernetes-v2-systemd", tmp_path).source().read(START).node
    assert node is not None
    assert (node.cluster, node.name, node.cpu_model, node.cpu_cores) == ("prod", "n1", "AMD EPYC 7B13", 4.0)
    assert node.memory_bytes == 16 << 30
    assert [(n.index, n.cpus, n.memory_bytes) for n in node.numa] == [(0, "0-3", 16 << 30)]
    assert [(d.name, d.size_bytes, d.rotational) for d in node.disks] == [("nvme0n1", 1875385008 * 512, False)]
    assert [(i.name, i.speed_bits_per_s) for i in node.interfaces] == [("eth0", 25_000_000_000)]
    assert node.kernel["cgroup"] == "v2"
    assert node.kernel["psi"] == "yes"
    assert node.kernel["release"] == "6.8.0-45-generic"


def test_layouts_are_told_apart(tmp_path: Path) -> None:
    """v1, v2 and hybrid by what lies in the mount."""
    layouts = {}
    for name in ("kubernetes-v1-cgroupfs", "systemd-v2", "hybrid-bare"):
        node = RecordedMachine.load(name, tmp_path / name).source().read(START).node
        assert node is not None
        layouts[name] = node.kernel["cgroup"]
    assert layouts == {"kubernetes-v1-cgroupfs": "v1", "systemd-v2": "v2", "hybrid-bare": "hybrid"}
