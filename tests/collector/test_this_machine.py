"""The host source on the machine that runs the tests: no recorded tree, the kernel itself."""

from __future__ import annotations

import os
import resource
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from collector.host.layout import detect
from collector.host.source import HostSource
from collector.run import collect
from collector.service import moment
from collector.settings import CollectorSettings, HostSettings
from models.metrics import NullMeter
from stream.contract import EventLog
from tests.collector.counting import delivered, spans
from tests.collector.recorded import rows

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")


def spin(cpu_s: float) -> float:
    """Use this much CPU time, and say how much it was."""
    start = time.process_time()
    while time.process_time() - start < cpu_s:
        pass
    return time.process_time() - start


def test_this_very_process_is_seen_with_the_time_it_used() -> None:
    """What the kernel says this process used between two reads is what its group's row says, to two clock ticks and
    what runs between the measurements; other processes of the same name may add to it."""
    source = HostSource(_settings())
    source.read(moment())
    before = _used_s()
    spin(0.5)
    reading = source.read(moment())
    used_s = _used_s() - before
    mine = _row_of_this_process(source, rows(reading))
    seen_s = float(str(mine["cpu_cores"])) * int(str(mine["interval_ms"])) / 1000
    assert seen_s >= used_s - 0.05
    assert int(str(mine["memory_working_set_bytes"])) > 10 << 20
    source.close()


def test_a_child_that_lived_between_two_reads_is_not_lost() -> None:
    """A Python that spins for 0.4 s and ends: its time is in this process's group (or its cgroup)."""
    source = HostSource(_settings())
    source.read(moment())
    child = "import time; s = time.process_time()\nwhile time.process_time() - s < 0.4: pass"
    subprocess.run([sys.executable, "-c", child], check=True)
    reading = source.read(moment())
    mine = _row_of_this_process(source, rows(reading))
    assert float(str(mine["cpu_cores"])) * int(str(mine["interval_ms"])) / 1000 >= 0.4 - 0.03
    source.close()


def test_the_node_is_this_one() -> None:
    """Cores as the kernel lists them, memory as meminfo says, and a reason for every signal that is missing."""
    source = HostSource(_settings())
    source.read(moment())
    spin(0.05)
    source.read(moment())
    node = source._node_now(moment())
    assert node.cpu_cores == os.sysconf("SC_NPROCESSORS_ONLN")
    assert node.memory_bytes == pytest.approx(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), rel=0.01)
    assert node.kernel["release"] == os.uname().release
    assert all(line.seen or len(line.reason) > 20 for line in node.coverage)
    source.close()


def test_from_this_machine_into_the_log(tmp_path: Path, log: EventLog) -> None:
    """The whole way: workloads arrive whose spans join, to the millisecond by which two clocks' roundings differ."""
    stop = threading.Event()
    threading.Timer(2.5, stop.set).start()
    settings = CollectorSettings(
        outbox=str(tmp_path / "outbox.db"), interval_s=0.2, flush_interval_s=0.4, host=_settings().host
    )
    collect(lambda: log, settings, NullMeter(), stop)
    found = spans(delivered(log))
    assert found
    longest = max(found.values(), key=len)
    assert len(longest) >= 5
    assert all(abs(end - begin) <= 2 for (_, end), (begin, _) in pairwise(longest))


@pytest.fixture
def real_cgroup() -> Iterator[tuple[str, list[Path]]]:
    """A container's cgroup that this kernel makes, in every hierarchy that counts CPU or memory. Needs root."""
    layout, identity = detect("/sys/fs/cgroup"), secrets.token_hex(32)
    trees = {Path(layout.trees[name]).resolve() for name in layout.trees if name != "unified" or layout.unified}
    folders = [tree / "docker" / identity for tree in sorted(trees)]
    made: list[Path] = []
    with ExitStack() as stack:
        for folder in folders:
            for part in (folder.parent, folder):
                if part.exists():
                    continue
                try:
                    part.mkdir()
                except OSError as error:
                    pytest.skip(f"cgroups cannot be made here: {error}")
                made.append(part)
                stack.callback(_remove, part)
        yield identity, folders


def test_a_real_cgroup_is_measured_while_its_process_lives_and_after(real_cgroup: tuple[str, list[Path]]) -> None:
    """A process that spins in a container's cgroup: its CPU time is the container's; when both end, an event says so."""
    identity, folders = real_cgroup
    source = HostSource(_settings())
    source.read(moment())
    ready, go = os.pipe(), os.pipe()
    child = subprocess.Popen([sys.executable, "-c", _SPINNER, str(ready[1]), str(go[0])], pass_fds=(ready[1], go[0]))
    os.read(ready[0], 1)
    for folder in folders:
        (folder / "cgroup.procs").write_text(str(child.pid))
    found = next(t for t in _tracked_after(source) if identity in t.path)
    found.seen_ms -= 3_600_000  # as if its name had been waited for
    source.read(moment())
    source.read(moment())
    os.write(go[1], b"x")
    child.wait()
    row = rows(source.read(moment()))[found.workload]
    assert float(str(row["cpu_cores"])) * int(str(row["interval_ms"])) / 1000 == pytest.approx(0.3, abs=0.15)
    for folder in folders:
        folder.rmdir()
    kinds = [event.kind for event in source.read(moment()).events if event.workload == found.workload]
    assert kinds == ["ended"]
    source.close()


_SPINNER = """
import os, sys, time
os.write(int(sys.argv[1]), b"x"); os.read(int(sys.argv[2]), 1)
s = time.process_time()
while time.process_time() - s < 0.3: pass
"""


def _tracked_after(source: HostSource) -> list:  # type: ignore[type-arg]
    source.read(moment())
    return source._cgroups.tracked()


def _remove(folder: Path) -> None:
    if folder.exists():
        folder.rmdir()


def _settings() -> CollectorSettings:
    return CollectorSettings(node="n1", host=HostSettings(group_min_age_s=0))


def _used_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _row_of_this_process(source: HostSource, found: dict[str, dict[str, object]]) -> dict[str, object]:
    """The row of the group, or of the cgroup, that holds this process."""
    process = source._groups._groups._processes.get(os.getpid())
    if process is not None:
        return found[str(source._namer.group(process.group).name)]
    cgroup = Path("/proc/self/cgroup").read_text()
    (tracked,) = [t for t in source._cgroups.tracked() if t.path in cgroup]
    return found[tracked.workload]
