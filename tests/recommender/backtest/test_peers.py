"""The other peers, written out on one workload."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.backtest.datasets import by_slot
from recommender.backtest.peers.autopilot import DecayedMean, load_percentile
from recommender.backtest.peers.autopilot_ml import AutopilotMl, Weights
from recommender.backtest.peers.simple import krr_cpu, krr_memory, kruize_cpu, kruize_memory
from recommender.backtest.usage import Past
from tests.recommender.backtest.fleets import usage

NAN = float("nan")


def test_krr_takes_fourteen_days() -> None:
    """Peaks 9, then fourteen days of 2: memory 2 x 1.15 = 2.3, CPU P95 = 2."""
    past = Past(usage([[9.0, 9.0]] + [[2.0, 2.0]] * 14), 15)
    assert krr_memory().decide(past)[0] == pytest.approx(2.3)
    assert krr_cpu().decide(past)[0] == 2.0


def test_kruize_adds_a_spike_or_a_fifth() -> None:
    """Intervals of 15 minutes. One sample in each: no spike, the maximum itself. Three in each, one of the intervals
    10, 10.2, 10: spike 0.2, so min(10.2 x 1.2, 10.2 + 1.05 x 0.2) = 10.41."""
    assert kruize_memory().decide(Past(usage([[10.0] * 96]), 1))[0] == 10.0
    day = np.full(288, 10.0)
    day[1] = 10.2
    assert kruize_memory().decide(Past(usage([day]), 1))[0] == pytest.approx(10.41)


def test_kruize_cpu_takes_the_maximum_below_one_core_and_a_percentile_above() -> None:
    """Under one core the maximum 0.9; above, P60 of 1, 1, 1, 4 is 1."""
    assert kruize_cpu(0.6).decide(Past(usage([[0.2, 0.9, 0.1, 0.1]], "cpu"), 1))[0] == 0.9
    assert kruize_cpu(0.6).decide(Past(usage([[1.0, 1.0, 1.0, 4.0]], "cpu"), 1))[0] == 1.0


def test_load_percentile_weighs_load_and_not_time() -> None:
    """Samples 1, 1, 8: load 10, of which 8 lies at 8; P50 of load is 8, though most of the time is 1. A weight of 1/100
    on the 8 makes 2.08 of load and P50 is 1."""
    samples = np.array([[1.0, 8.0, 1.0, NAN]])
    assert load_percentile(samples, np.ones(4), 0.5)[0] == 8.0
    assert load_percentile(samples, np.array([1, 0.01, 1, 1]), 0.5)[0] == 1.0


def test_decayed_mean_of_a_day_and_the_day_before() -> None:
    """CPU, half-life 12 h, one sample a day: the older weighs 1/4: (0.25 x 4 + 1 x 2) / 1.25 x 1.15."""
    assert DecayedMean().decide(Past(usage([[4.0], [2.0]], "cpu"), 2))[0] == pytest.approx(3 / 1.25 * 1.15)


def test_autopilot_ml_with_a_dear_overrun_covers_a_steady_usage() -> None:
    """Usage of one core around the clock and overruns 500 times as dear: the limit covers it."""
    policy = AutopilotMl("cpu", Weights(500, 1, 2))
    assert policy.decide(Past(usage([[1.0] * 24] * 3, "cpu"), 3))[0] >= 1.0


def test_the_highest_row_of_a_slot_counts_and_gaps_stay_gaps() -> None:
    """Slot 0 has 3 and 5, slot 2 has 1, slot 999 lies outside of a day of 288."""
    grid = by_slot(np.array([0, 0, 2, 999]), np.array([3.0, 5.0, 1.0, 7.0]), days=1)
    assert grid.shape == (1, 288)
    assert grid[0, :3].tolist()[::2] == [5.0, 1.0]
    assert np.isnan(grid[0, 1])
