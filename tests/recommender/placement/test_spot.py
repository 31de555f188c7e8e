"""Checkpoint interval and expected time by Young and Daly."""

from __future__ import annotations

from math import exp, inf, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.placement.job import Checkpointing
from recommender.placement.spot import checkpoint_interval_s, expected_wall_s, plan_spot


def test_the_interval_is_youngs_with_dalys_correction() -> None:
    """d = 60 s, M = 24 h = 86,400 s: Young sqrt(2 * 60 * 86400) = 3220 s; Daly 3220 * (1 + 0.0062 + 0.00004) - 60."""
    young = sqrt(2 * 60 * 86_400)
    assert young == pytest.approx(3220, abs=1)
    assert checkpoint_interval_s(60, 86_400) == pytest.approx(
        young * (1 + sqrt(60 / 172_800) / 3 + 60 / 172_800 / 9) - 60
    )


def test_a_checkpoint_that_costs_more_than_two_interruptions_apart() -> None:
    """d >= 2M: work as long as M between checkpoints (Daly's second case)."""
    assert checkpoint_interval_s(300, 100) == 100


@pytest.mark.parametrize(("cost", "between"), [(0, 100), (10, 0), (-1, 100)])
def test_what_was_not_measured_is_refused(cost: float, between: float) -> None:
    """A checkpoint that costs nothing was not measured."""
    with pytest.raises(ValueError, match="measure one checkpoint"):
        checkpoint_interval_s(cost, between)


def test_without_interruptions_a_job_takes_its_run_time() -> None:
    """One hour at $2."""
    plan = plan_spot(3600, Checkpointing(60, 60), 0, 2.0)
    assert (plan.stretch_ratio, plan.cost_usd, plan.interval_s) == (1.0, 2.0, inf)


def test_expected_time_is_dalys_complete_model() -> None:
    """M e^(R/M) (e^((t+d)/M) - 1) T/t with M = 1000, R = 10, t = 100, d = 5, T = 1000."""
    expected = 1000 * exp(0.01) * (exp(0.105) - 1) * 10
    assert expected_wall_s(1000, 100, Checkpointing(5, 10), 1000) == pytest.approx(expected)


@given(st.floats(1, 300), st.floats(600, 1e6), st.floats(0.3, 3))
def test_no_other_interval_is_better_by_more_than_a_hundredth(cost: float, between: float, factor: float) -> None:
    """Daly's interval against 0.3 to 3 times of it, for checkpoints that cost less than half the time between."""
    work, checkpoint = 1e7, Checkpointing(cost, 60)
    interval = checkpoint_interval_s(cost, between)
    best = expected_wall_s(work, interval, checkpoint, between)
    assert best <= expected_wall_s(work, factor * interval, checkpoint, between) * 1.01


@given(st.floats(1, 300), st.floats(0.001, 20), st.floats(1, 3))
def test_more_interruptions_never_make_it_cheaper(cost: float, hourly: float, factor: float) -> None:
    """Ten hours of work."""
    checkpoint = Checkpointing(cost, 60)
    few, many = (plan_spot(36_000, checkpoint, rate, 1.0) for rate in (hourly, hourly * factor))
    assert many.cost_usd >= few.cost_usd * 0.999
