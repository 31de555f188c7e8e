"""The disk is full for a while. A limit on the size of files stands for it: it can be set and lifted from outside."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.faults.conftest import Install, sqlite_settings
from tests.faults.installation import wait_for
from tests.faults.load import Load
from tests.faults.outcome import Outcome, outcome, reasons
from tests.faults.roles import Role

FULL_BYTES = 64 << 10
"""More than what a role prints, less than any write-ahead log has soon."""


def fill(roles: Iterable[Role], size_bytes: int = FULL_BYTES) -> None:
    """From now on these roles can make no file larger. The hard limit stays, so that it can be lifted."""
    for role in roles:
        resource.prlimit(role.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


def make_room(roles: Iterable[Role]) -> None:
    fill(roles, resource.RLIM_INFINITY)


@pytest.mark.slow
def test_a_full_disk_is_named_and_waited_for(
    tmp_path: Path, install: Install, load: Load, undisturbed: Outcome
) -> None:
    """Profilers and recommender say so and go on when there is room. A replay, which somebody watches, ends with one
    line; the same command goes on from there. The outcome is that of a run with room all the time."""
    made = install(sqlite_settings(tmp_path), load)
    made.play_in(6)
    made.start()
    time.sleep(2)
    fill(made.roles)
    wait_for(lambda: all(collector.exit_code == 1 for collector in made.collectors), 30, made.tails)
    stages = [*made.profilers, made.recommender]
    wait_for(lambda: all("starting over" in stage.output() for stage in stages), 30, made.tails)
    assert [stage.exit_code for stage in stages] == [None] * len(stages)
    assert all("the disk refused; look at its space" in stage.output() for stage in stages)
    make_room(stages)
    for collector in made.collectors:
        assert "is the disk full or gone?" in collector.output()
        assert "Traceback" not in collector.output()
        collector.start()
    made.finish()
    assert outcome(made.log) == undisturbed
    assert reasons(made.log).keys() <= {"duplicate"}
