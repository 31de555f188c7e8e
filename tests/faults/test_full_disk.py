"""The disk is full for a while. A limit on the size of files stands for it: it can be set and lifted from outside."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from stream.contract import EventLog
from stream.streams import TELEMETRY
from stream.telemetry_decoder import decode_telemetry
from tests.faults.conftest import Install, sqlite_settings
from tests.faults.installation import wait_for
from tests.faults.load import Load
from tests.faults.outcome import Outcome, outcome, read, reasons
from tests.faults.roles import Role

FULL_BYTES = 64 << 10
"""More than what a role prints, less than any write-ahead log has soon."""
ROUNDING_MS = 1
"""Spans are measured on a clock that never steps and end by the wall clock, both in milliseconds."""


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
    wait_for(lambda: all("the disk refused; look at its space" in stage.output() for stage in stages), 60, made.tails)
    assert [stage.exit_code for stage in stages] == [None] * len(stages)
    make_room(stages)
    for collector in made.collectors:
        assert "is the disk full or gone?" in collector.output()
        assert "Traceback" not in collector.output()
        collector.start()
    made.finish()
    assert outcome(made.log) == undisturbed
    assert reasons(made.log).keys() <= {"duplicate"}


@pytest.mark.slow
def test_a_collector_holds_what_the_disk_refuses(tmp_path: Path, install: Install) -> None:
    """It says so, reads on and writes it when there is room. Programs come and go on this machine, but the spans of
    something that was there all the time join without a gap, and those of nothing overlap."""
    made = install(sqlite_settings(tmp_path), Load((), 0), profilers=0)
    quick = {"SIZEWISE_COLLECTOR__INTERVAL_S": "0.2", "SIZEWISE_COLLECTOR__FLUSH_INTERVAL_S": "0.2"}
    collector = made.role("collect", "collect", **quick)
    collector.start()
    try:
        wait_for(lambda: len(spans(made.log)) > 0, 30, collector.tail)
        before_ms = time.time() * 1000
        fill([collector])
        wait_for(lambda: collector.output().count("a flush could not be written") > 5, 30, collector.tail)
        make_room([collector])
        after_ms = time.time() * 1000
        wait_for(lambda: newest_ms(made.log) > after_ms + 500, 30, collector.tail)
        collector.terminate()
    finally:
        collector.close()
    joins = {name: [after[0] - before[1] for before, after in pairwise(rows)] for name, rows in spans(made.log).items()}
    assert all(gap >= -ROUNDING_MS for gaps in joins.values() for gap in gaps)
    through = [name for name, rows in spans(made.log).items() if rows[0][0] < before_ms and rows[-1][1] > after_ms]
    assert any(max(joins[name]) <= ROUNDING_MS for name in through)


def newest_ms(log: EventLog) -> int:
    return max((rows[-1][1] for rows in spans(log).values()), default=0)


def spans(log: EventLog) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Begin and end of each row, in order, by workload and instance."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for record in read(log, TELEMETRY):
        frame = decode_telemetry(record, record.time_ms)
        for row in range(len(frame)):
            end = int(frame.time_ms[row])
            begin = end - int(frame.interval_ms[row])
            found.setdefault((frame.workload[row], frame.instance[row]), []).append((begin, end))
    return {name: sorted(rows) for name, rows in found.items()}
