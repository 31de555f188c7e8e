"""Runs read out of telemetry as evenly spaced windows."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from profiler.gpu_runs import MAX_RUNS, GpuRun, GpuRuns, groups_of
from stream.contract import Record
from stream.streams import TELEMETRY
from stream.telemetry_decoder import TelemetryFrame, decode_telemetry
from tests.profiler.gpu_telemetry import GpuRow, gpu_message
from tests.profiler.telemetry import SECOND, T0


def frame(rows: list[GpuRow]) -> TelemetryFrame:
    message = gpu_message(rows, "n", 1)
    record = Record(TELEMETRY, 0, 0, message.key, message.value, message.headers, message.time_ms)
    return decode_telemetry(record, T0 + 10**9)


def busy(name: str, second: int, value: float, **where: str) -> GpuRow:
    return GpuRow(name, second * SECOND, {"gpu_utilization_ratio": value}, **where)


def gathered(*messages: list[GpuRow], max_runs: int = MAX_RUNS) -> list[GpuRun]:
    runs = GpuRuns(max_runs)
    for rows in messages:
        runs.add(frame(rows))
    return runs.runs()


def test_a_run_is_told_as_a_profile_keeps_it() -> None:
    """Rows of a second: the newest value nearest to every other second, 0.1, 0.5 (second 2) and 0.7 (second 3)."""
    (run,) = gathered([busy("w", k, v) for k, v in enumerate((0.1, 0.3, 0.5, 0.7))])
    assert run.window.interval_s == 2.0
    np.testing.assert_allclose(run.window.signals["gpu_utilization_ratio"], [0.1, 0.5, 0.7])
    assert list(run.window.signals) == ["gpu_utilization_ratio"], "a signal that never had a value is missing"
    assert run.window.board.memory_bytes == 80 * 2**30, "the catalogue knows the board"


def test_a_sample_without_a_row_is_nan_and_not_0() -> None:
    """Nothing came in seconds 1 to 3."""
    (run,) = gathered([busy("w", 0, 0.5), busy("w", 4, 0.5)])
    values = run.window.signals["gpu_utilization_ratio"].tolist()
    assert values[0] == values[2] == 0.5
    assert math.isnan(values[1])


def test_rows_that_come_rarely_make_longer_steps() -> None:
    """One every ten seconds: steps of ten seconds, none empty."""
    rows = [GpuRow("w", 10_000 * k, {"gpu_utilization_ratio": k / 10}, interval_ms=10_000) for k in range(4)]
    (run,) = gathered(rows)
    assert run.window.interval_s == 10.0
    np.testing.assert_allclose(run.window.signals["gpu_utilization_ratio"], [0.0, 0.1, 0.2, 0.3])


def test_instances_and_gpus_are_runs_of_their_own() -> None:
    """Two GPUs of one instance and another instance on the first: three runs of one workload."""
    rows = [busy("w", 0, 0.1), busy("w", 0, 0.2, gpu="GPU-1"), busy("w", 0, 0.3, instance="i1"), busy("v", 0, 0.4)]
    runs = gathered(rows)
    values = {
        (run.workload.split("/")[3], run.gpu_uuid): run.window.signals["gpu_utilization_ratio"][0] for run in runs
    }
    assert len(runs) == 4
    assert values["w", "GPU-1"] == 0.2
    assert {run.started_ms for run in runs} == {T0}


def test_memory_is_bounded_in_samples_and_in_runs() -> None:
    """Sixty samples and two runs of a workload are kept; another workload still gets its own."""
    long = gathered([busy("w", 2 * k, 0.5) for k in range(100)])
    assert [len(run.window) for run in long] == [60]
    many = gathered([busy("w", 0, 0.5, instance=f"i{k}") for k in range(5)], [busy("v", 0, 0.5)], max_runs=2)
    assert len(many) == 3


def test_many_runs_grow_the_table() -> None:
    """A hundred workloads after one another: each keeps its own value."""
    runs = gathered(*([busy(f"w{k}", 0, k / 100)] for k in range(100)))
    assert [run.window.signals["gpu_utilization_ratio"][0] for run in runs] == [k / 100 for k in range(100)]


def test_what_is_held_out_together() -> None:
    """A fleet of one GPU model: what ran on one GPU, whatever instance it was."""
    runs = gathered([busy("w", 0, 0.5), busy("w", 0, 0.5, instance="i1"), busy("w", 0, 0.5, gpu="GPU-1")])
    assert sorted(groups_of(runs)) == ["GPU-0", "GPU-0", "GPU-1"]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_how_rows_are_parted_into_messages_does_not_matter(sizes: list[int]) -> None:
    """One message or many: the same window."""
    rows = [busy("w", k, (k * 7 % 11) / 11) for k in range(sum(sizes))]
    cuts = np.cumsum([0, *sizes])
    parted = gathered(*(rows[a:b] for a, b in pairwise(cuts.tolist())))
    (one,), (other,) = gathered(rows), parted
    np.testing.assert_array_equal(
        one.window.signals["gpu_utilization_ratio"], other.window.signals["gpu_utilization_ratio"]
    )
