"""Jobs: sized from their runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.columns import Columns
from models.peak16 import to_peak16
from models.profile import CPU, MEMORY
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


def service(start: float, steady: float, cpu_start: float = 0.0) -> Columns:
    """Runs on; on one of ten days its memory peaked at `start` GiB, as an instance began, and it used `cpu_start` cores."""
    rows = profiles(Workload(cpu={1.0: 1000}, memory=[steady * GIB] * 9 + [start * GIB]))
    for name, (cores, gib) in {"run_start_peak": (cpu_start, start), "run_peak": (1.0, steady)}.items():
        rows[name][0, :, 0] = to_peak16(np.array([cores, gib * GIB]))
    rows["daily_peak"][0, CPU] = max(cpu_start, 1.0)
    return rows


def test_memory_of_a_service_covers_its_starts_whatever_may_be_short() -> None:
    """Policy lets one day in ten be short, so 1.15 GiB would do for use; but a start needs 3: the lower bound is 3 GiB, the
    target 15 % above."""
    result = decide(service(3, 1), None, policy(memory_overrun_days_ratio=0.1))
    assert result["lower"][0, MEMORY] >= 3 * GIB * 0.96
    assert result["target"][0, MEMORY] == pytest.approx(3.45 * GIB)
    assert Reason.START_UP in Reason(int(result["reasons"][0, MEMORY]))
    plain = decide(service(1, 1), None, policy(memory_overrun_days_ratio=0.1))
    assert plain["target"][0, MEMORY] == pytest.approx(1.15 * GIB)
    assert Reason.START_UP not in Reason(int(plain["reasons"][0, MEMORY]))


def test_cpu_of_a_start_is_covered_where_policy_asks_for_it() -> None:
    """1 core in steady use, 4 in a start: 1.15 cores, or 4. The reason tells of the start either way."""
    for choice, cores in (("share", 1.15), ("cover", 4.0)):
        result = decide(service(1, 1, cpu_start=4.0), None, policy(cpu_start_up=choice))
        assert result["target"][0, CPU] == pytest.approx(cores, rel=0.03)
        assert Reason.START_UP in Reason(int(result["reasons"][0, CPU]))


def test_a_start_adds_nothing_above_what_was_seen() -> None:
    """Peaks of starts are kept rounded up by 1/128: 1.001 GiB would be 1.0078. Memory seen is the bound: 1.001 * 1.15."""
    assert target(service(1.001, 1.0)) == pytest.approx(1.001 * 1.15, rel=1e-6)


@given(
    st.floats(0.1, 8),
    st.floats(0.1, 8),
    st.floats(1, 3),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from(["share", "cover"]),
)
def test_a_larger_start_never_gets_less(start: float, steady: float, more: float, allowed: float, choice: str) -> None:
    rules = policy(memory_overrun_days_ratio=allowed, cpu_start_up=choice)
    less, larger = (decide(service(s, steady, cpu_start=s), None, rules)["target"][0] for s in (start, start * more))
    assert (larger >= less * (1 - 1e-12)).all()
