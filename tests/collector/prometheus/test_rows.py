"""Rows into messages: each once, by hours, and none of a replica late beside another's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.prometheus import rows
from collector.prometheus.rows import RowMessages, Workloads
from collector.prometheus.timeline import Span, timeline
from stream.contract import Record
from stream.telemetry_decoder import TelemetryFrame, decode_telemetry
from tests.profiler import telemetry
from tests.profiler.telemetry import HOUR, MINUTE, T0

Run = tuple[int, int, int]
"""Workload, minutes after T0 at which it begins, rows."""
RUNS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300), st.integers(1, 400)), min_size=1, max_size=8)


def frames_of(runs: list[Run], partitions: int = 1) -> list[tuple[Record, TelemetryFrame]]:
    out = RowMessages("importer", Workloads(partitions))
    for number, (workload, begin, count) in enumerate(runs):
        times = T0 + MINUTE * (begin + np.arange(count + 1))
        line = timeline(times, Span(int(times[0]), 1 << 60, HOUR))
        signals = {"cpu_cores": np.arange(count) * 0.001, "memory_working_set_bytes": float(number + 1)}
        out.add("cpu", (telemetry.workload(f"w{workload}"), f"pod-{number}"), line, signals)
    found = []
    for sequence, addressed in enumerate(out.take(), start=1):
        message = addressed.message
        headers = {**message.headers, "producer": "importer", "sequence": str(sequence)}
        record = Record("telemetry", 0, sequence, "importer", message.value, headers, message.time_ms)
        found.append((record, decode_telemetry(record, T0 + 48 * HOUR)))
    return found


@settings(deadline=None)
@given(RUNS, st.sampled_from([50, 200, 16_384]))
def test_every_row_is_in_one_message_and_none_is_late(runs: list[Run], at_most: int) -> None:
    """However runs of replicas overlap and however small messages are: the rows that went in come out, and a profiler
    takes all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "MAX_ROWS", at_most)
        found = frames_of(runs)
    seen = [
        (frame.instance[row], int(frame.time_ms[row]), frame.values[row, 0], frame.values[row, 5])
        for _, frame in found
        for row in range(len(frame))
    ]
    expected = [
        (f"pod-{number}", T0 + MINUTE * (begin + 1 + row), row * 0.001, number + 1.0)
        for number, (_, begin, count) in enumerate(runs)
        for row in range(count)
    ]
    assert sorted(seen) == sorted(expected)
    partition = telemetry.partition()
    for record, _ in found:
        partition.take(record, T0 + 48 * HOUR)
    partition.settle()
    assert partition.take_rejected() == []
    assert int(partition.profiles["rows"].sum()) == len(expected)


def test_a_message_holds_whole_hours_where_they_fit() -> None:
    """Four workloads of 60 rows an hour for nine hours, at most 16,384 rows: one message, workloads one after another."""
    ((_, frame),) = frames_of([(workload, 0, 9 * 60) for workload in range(4)])
    assert [frame.workload[row] for row in range(0, 4 * 540, 540)] == [telemetry.workload(f"w{i}") for i in range(4)]
    assert (np.diff(frame.time_ms.reshape(4, 540), axis=1) == MINUTE).all()


def test_a_signal_that_no_row_has_is_left_out() -> None:
    """NaN in all rows is no column; in some it is a null."""
    out = RowMessages("importer", Workloads(1))
    line = timeline(np.array([T0, T0 + MINUTE]), Span(T0 - 1, T0 + HOUR, HOUR))
    out.add("cpu", (telemetry.workload("a"), "pod"), line, {"cpu_cores": np.array([np.nan, 1.0]), "oom_kills": np.nan})
    (addressed,) = out.take()
    frame = decode_telemetry(
        Record("telemetry", 0, 1, "p", addressed.message.value, addressed.message.headers, T0), T0 + HOUR
    )
    assert np.array_equal(frame.values[:, 0], [np.nan, 1.0], equal_nan=True)
    assert np.isnan(frame.values[:, 1:]).all()
    assert not frame.rejected
