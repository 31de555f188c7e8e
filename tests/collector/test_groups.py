"""Groups of processes: their CPU time adds up, whatever comes and goes between two reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.host.files import KeptFiles
from collector.host.groups import ProcessGroups
from tests.collector.fake_kernel import FakeKernel

OPS = st.lists(
    st.tuples(
        st.sampled_from(["spawn", "spawn", "run", "run", "exit", "read", "read"]),
        st.integers(0, 50),
        st.integers(1, 40),
    ),
    min_size=20,
    max_size=40,
)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def watch(kernel: FakeKernel) -> ProcessGroups:
    """Groups by command. No file is kept open, because the fake kernel's files outlive their processes."""
    return ProcessGroups(str(kernel.proc), KeptFiles(limit=0), lambda process: process.stat.comm)


def read(groups: ProcessGroups, kernel: FakeKernel) -> dict[str, int]:
    kernel.uptime_s += 1
    groups.read(kernel.uptime_s)
    return {name: group.ticks for name, group in groups.groups.items()}


def test_what_ran_before_the_first_read_is_history(kernel: FakeKernel) -> None:
    pid = kernel.spawn(1, "train.py")
    kernel.run(pid, 500)
    groups = watch(kernel)
    read(groups, kernel)
    kernel.run(pid, 7)
    assert read(groups, kernel)["train.py"] == 7


def test_a_process_that_dies_between_two_reads_loses_nothing(kernel: FakeKernel) -> None:
    """30 ticks were seen; 12 more run before its end come through what its parent has reaped."""
    shell = kernel.spawn(1, "bash")
    groups = watch(kernel)
    read(groups, kernel)
    pid = kernel.spawn(shell, "cc1")
    kernel.run(pid, 30)
    assert read(groups, kernel)["cc1"] == 30
    kernel.run(pid, 12)
    kernel.exit(pid)
    assert read(groups, kernel)["cc1"] == 42


def test_a_process_that_lives_between_two_reads_is_its_parents(kernel: FakeKernel) -> None:
    """Nobody saw it; the kernel added its 15 ticks to what `make` has reaped."""
    make = kernel.spawn(1, "make")
    groups = watch(kernel)
    read(groups, kernel)
    pid = kernel.spawn(make, "cc1")
    kernel.run(pid, 15)
    kernel.exit(pid)
    assert read(groups, kernel) == {"init": 0, "make": 15}


def test_after_exec_time_goes_to_the_new_command(kernel: FakeKernel) -> None:
    """A shell that becomes the program keeps its number; what it used before stays where it was."""
    pid = kernel.spawn(1, "bash")
    groups = watch(kernel)
    read(groups, kernel)
    kernel.run(pid, 5)
    read(groups, kernel)
    kernel.exec(pid, "java")
    kernel.run(pid, 20)
    ticks = read(groups, kernel)
    assert (ticks["bash"], ticks["java"]) == (5, 20)


def test_a_number_used_again_is_another_process(kernel: FakeKernel) -> None:
    """The old one's ticks stay; the new one counts from zero although its counter is lower."""
    pid = kernel.spawn(1, "old")
    groups = watch(kernel)
    read(groups, kernel)
    kernel.run(pid, 50)
    read(groups, kernel)
    kernel.exit(pid)
    kernel.uptime_s += 0.5
    kernel._next = pid
    kernel.run(kernel.spawn(1, "new"), 3)
    read(groups, kernel)
    ticks = read(groups, kernel)
    assert (ticks["old"], ticks["new"]) == (50, 3)


def test_a_parent_and_its_child_that_die_together_are_counted_once(kernel: FakeKernel) -> None:
    """The parent dies first, so process 1 reaps the child: its 30 ticks were counted while it lived."""
    shell = kernel.spawn(1, "bash")
    parent = kernel.spawn(shell, "make")
    child = kernel.spawn(parent, "cc1")
    groups = watch(kernel)
    read(groups, kernel)
    kernel.run(child, 30)
    read(groups, kernel)
    kernel.exit(parent)
    kernel.exit(child)
    read(groups, kernel)
    assert sum(read(groups, kernel).values()) == 30


def test_a_restarted_reader_goes_on_from_its_baselines(kernel: FakeKernel) -> None:
    """Old process: growth since the baseline. New one: all of it. One that is gone: through its parent."""
    parent = kernel.spawn(1, "bash")
    old, gone = kernel.spawn(parent, "old"), kernel.spawn(parent, "gone")
    groups = watch(kernel)
    read(groups, kernel)
    baselines, uptime_s = groups.baselines(), kernel.uptime_s
    kernel.run(old, 11)
    kernel.run(gone, 22)
    kernel.exit(gone)
    kernel.run(kernel.spawn(parent, "fresh"), 33)
    restarted = watch(kernel)
    restarted.remember(baselines, uptime_s)
    ticks = read(restarted, kernel)
    assert (ticks["old"], ticks["fresh"], sum(ticks.values())) == (11, 33, 66)


@MANY
@given(OPS)
def test_time_is_never_counted_twice_and_never_taken_back(tmp_path: Path, ops: list[tuple[str, int, int]]) -> None:
    """Whole families die in any order: the sum over groups grows and stays at or under what was used."""
    kernel, _ = _play(tmp_path, ops, leaves_only=False)
    shutil.rmtree(kernel.proc)


@MANY
@given(OPS)
def test_time_adds_up_when_parents_outlive_their_children(tmp_path: Path, ops: list[tuple[str, int, int]]) -> None:
    """Every tick of every process is in some group, however short its life was."""
    kernel, groups = _play(tmp_path, ops, leaves_only=True)
    read(groups, kernel)
    assert sum(read(groups, kernel).values()) == kernel.used
    shutil.rmtree(kernel.proc)


def _play(folder: Path, ops: list[tuple[str, int, int]], *, leaves_only: bool) -> tuple[FakeKernel, ProcessGroups]:
    kernel = FakeKernel(folder / "proc")
    groups = watch(kernel)
    total = sum(read(groups, kernel).values())
    for op, choice, ticks in ops:
        pids = sorted(kernel.processes)
        pid = pids[choice % len(pids)]
        parents = {process.ppid for process in kernel.processes.values()}
        if op == "spawn":
            kernel.spawn(pid, f"command{choice % 5}")
        elif op == "run":
            kernel.run(pid, ticks)
        elif op == "exit" and pid != 1 and not (leaves_only and pid in parents):
            kernel.exit(pid)
        elif op == "read":
            now = sum(read(groups, kernel).values())
            assert total <= now <= kernel.used
            total = now
    return kernel, groups
