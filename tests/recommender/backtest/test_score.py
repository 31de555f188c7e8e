"""The arithmetic of scores, written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recommender.backtest.pareto import ratios
from recommender.backtest.peers.simple import maximum
from recommender.backtest.replay import Decisions, replay
from recommender.backtest.score import outcome, score
from recommender.backtest.usage import Past, quantiles
from tests.recommender.backtest.fleets import fleet, usage

NAN = float("nan")


def test_slack_risk_and_churn_of_one_workload() -> None:
    """Limits 200, 100, 104 on days with samples (0, 100), (0, 120), (50, 50).

    P95 of two samples a, b is a + 0.95 (b - a): 95, 114, 50. Slack: 105/200, 0 (114 > 100), 54/104. Day 2 alone has a
    sample above its limit: one OOM-day of three, one of its two samples. The limit moves by 50 %, then by 4 %: one
    change in the two days that have a next one. Size: (200 + 100 + 104) / (95 + 114 + 50).
    """
    seen = usage([[0, 100], [0, 120], [50, 50]])
    found = score(outcome(Decisions("", 0, np.array([[[200.0], [100.0], [104.0]]])), seen))
    assert found.slack == pytest.approx((105 / 200 + 0 + 54 / 104) / 3)
    assert found.overrun == pytest.approx(1 / 3)
    assert found.throttled == pytest.approx(0.5 / 3)
    assert found.churn == pytest.approx(1 / 2)
    assert found.size_ratio == pytest.approx(404 / 259)


def test_held_decisions_overlap_and_churn_counts_per_day() -> None:
    """Held for two days: decision 0 (limit 10) meets peaks 9 and 11, decision 1 (limit 20) meets 11 and 21: two of the
    four held days overrun. Decision 2 would be the next after decision 0: 10 to 40 is one change in two days."""
    seen = usage([[9], [11], [21]])
    found = score(outcome(Decisions("", 0, np.array([[[10.0], [20.0], [40.0]]])), seen, hold_days=2))
    assert found.overrun == pytest.approx(2 / 4)
    assert found.churn == pytest.approx(1 / 2)


def test_hourly_limits_are_met_by_their_own_hours() -> None:
    """A day of two parts: limits 10 and 30 against samples (5, 12) and (25, 29): one of four samples is above its limit.
    The mean limit is 20; P95 of 5, 12, 25, 29 is 25 + 0.85 * 4 = 28.4, so the slack is cut at 0."""
    found = outcome(Decisions("", 0, np.array([[[10.0, 30.0]]])), usage([[5, 12, 25, 29]]))
    assert found.throttled[0, 0, 0] == pytest.approx(1 / 4)
    assert found.slack[0, 0, 0] == 0
    assert found.limit[0, 0, 0] == 20


def test_a_day_with_under_half_of_its_samples_is_left_out() -> None:
    """Day 1 has one sample of four: its overrun does not count."""
    found = score(outcome(Decisions("", 0, np.full((1, 2, 1), 10.0)), usage([[1, 2, 3, 4], [99, NAN, NAN, NAN]])))
    assert found.overrun == 0


def test_workloads_count_alike() -> None:
    """Per workload first: one with slack 1/2 and one with 0 give 1/4, though the second is a thousand times as large."""
    both = fleet("memory", n=2, days=1, slots=1)
    both.samples[:, 0, 0] = [1.0, 1000.0]
    assert score(outcome(Decisions("", 0, np.array([[[2.0]], [[1000.0]]])), both)).slack == pytest.approx(0.25)


def test_memory_is_capped_at_the_largest_size_and_cpu_a_little_above_all_usage() -> None:
    """max x1.5 of a peak of 8 wants 12. Memory of size 10 gets 10. CPU of size 6 gets 1.05 x 8."""
    policy = maximum(7, 1.5)
    huge = [[8e9, 1]] * 9
    assert replay(policy, usage(huge, "memory", 10e9)).limits[0, 0, 0] == 10e9
    assert replay(policy, usage([[8, 1]] * 9, "cpu", 6.0)).limits[0, 0, 0] == pytest.approx(1.05 * 8)


def test_a_past_holds_earlier_blocks_only() -> None:
    """Before block 2 of samples 0..5 in blocks of two: 0 to 3; its newest day is 2 and 3."""
    past = Past(usage([[0, 1], [2, 3], [4, 5]]), 2)
    assert past.samples().tolist() == [[0, 1, 2, 3]]
    assert past.samples(1).tolist() == [[2, 3]]
    assert past.peak().tolist() == [3]
    with pytest.raises(ValueError, match="now is 4"):
        Past(past.usage, 4)


@given(arrays(float, (3, 7), elements=st.one_of(st.floats(0, 1e12), st.just(NAN))), st.floats(0, 1))
def test_quantiles_are_those_of_numpy_without_gaps(samples: np.ndarray, q: float) -> None:
    """np.nanquantile, row by row; NaN where a row is nothing but gaps."""
    for row, ours in zip(samples, quantiles(samples, (q,))[:, 0], strict=True):
        known = row[~np.isnan(row)]
        expected = np.quantile(known, q) if known.size else NAN
        assert ours == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


def test_ratios_interpolate_slack_and_log_risk() -> None:
    """Our curve: slack 0.4 at risk 0.04, slack 0.6 at risk 0.01. A peer at slack 0.5 and risk 0.04:
    ours risks sqrt(0.04 * 0.01) = 0.02 there, half of it, and leaves 0.4 / 0.5 of its slack at its risk.
    Size at that risk: (8 / 2) against the peer's (10 / 2)."""
    curve = np.array([[0.4, 0.04, 0, 0.1, 8, 2], [0.6, 0.01, 0, 0.3, 12, 2]])
    risk, slack, size, churn = ratios(curve, np.array([0.5, 0.04, 0, 0, 10, 2]), "memory")
    assert (risk, slack, size, churn) == pytest.approx((0.5, 0.8, 0.8, 0.2))


def test_nothing_is_extrapolated() -> None:
    """A peer of less slack than any point of our curve has no risk ratio."""
    curve = np.array([[0.4, 0.04, 0, 0, 8, 2], [0.6, 0.01, 0, 0, 12, 2]])
    assert np.isnan(ratios(curve, np.array([0.3, 0.04, 0, 0, 10, 2]), "memory")[0])
