"""Jobs: sized from their runs."""

from __future__ import annotations

import numpy as np
import pytest

from models.columns import Columns
from models.peak16 import to_peak16
from models.profile import MEMORY
from models.reasons import Reason
from recommender.sizing.decide import decide
from tests.recommender.sizing.profiles import GIB, Workload, policy, profiles


def job(start: list[float], steady: list[float], runs: int, today: float = 1.0) -> Columns:
    """Runs with these memory peaks in GiB, and `today` GiB in the days in view."""
    rows = profiles(Workload(memory=[today * GIB]))
    for name, values in (("run_start_peak", start), ("run_peak", steady)):
        rows[name][0, MEMORY, : len(values)] = to_peak16(np.array(values) * GIB)
    rows["runs"][:] = runs
    return rows


def target(rows: Columns, **changed: float) -> float:
    return float(decide(rows, None, policy(**changed))["target"][0, MEMORY]) / GIB


def reasons(rows: Columns) -> Reason:
    return Reason(int(decide(rows, None, policy())["reasons"][0, MEMORY]))


def test_a_run_of_months_ago_is_covered() -> None:
    """Days in view show 1 GiB, one of four runs had 4: 4 * 1.15 = 4.6."""
    rows = job([1, 1, 1, 1], [1, 4, 1, 1], runs=3)
    assert target(rows) == pytest.approx(4.6)
    assert Reason.RUNS in reasons(rows)


def test_both_phases_of_a_run_must_fit_and_the_higher_is_named() -> None:
    """2 GiB at the start, 1 later: memory needs both, and the reason says when the peak comes."""
    rows = job([2, 2, 2, 2], [1, 1, 1, 1], runs=3)
    result = decide(rows, None, policy())
    assert result["target"][0, MEMORY] == pytest.approx(2.3 * GIB)
    assert (result["start_peak"][0, MEMORY], result["steady_peak"][0, MEMORY]) == (2 * GIB, GIB)
    assert Reason.START_UP in reasons(rows)
    assert Reason.START_UP not in reasons(job([1] * 4, [1] * 4, runs=3))


def test_allowed_overruns_are_counted_in_runs() -> None:
    """Eight runs, one in four may exceed: of 8, 7, 6, 1, ... the two highest are passed over: 6 * 1.15 = 6.9."""
    rows = job([0] * 8, [8, 1, 7, 1, 6, 1, 1, 1], runs=7)
    assert target(rows, memory_overrun_days_ratio=0.25) == pytest.approx(6.9)


def test_a_service_that_was_restarted_twice_is_no_job() -> None:
    rows = job([9, 9, 9], [9, 9, 9], runs=2)
    assert target(rows) == pytest.approx(1.15)
    assert Reason.RUNS not in reasons(rows)
