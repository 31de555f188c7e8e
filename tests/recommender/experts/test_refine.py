"""What follows a decision: the hold rule, the target rate, the raise within a day."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.sizing.experts.calibrate import CORRECTION, PRICES, RATE_DAYS, Realised, meet, volatility_groups
from recommender.sizing.experts.hold import CALM, WEEKLY, Held, HoldRule, hold
from recommender.sizing.experts.in_place import follow

NAN = float("nan")


def in_force(rule: HoldRule, wanted: list[float]) -> list[float]:
    held, limits = Held.nothing(1), []
    for limit in wanted:
        held = hold(rule, held, np.array([limit]))
        limits.append(float(held.limit[0]))
    return limits


def test_weekly_raises_at_once_and_lowers_after_seven_decisions() -> None:
    """100 to 109 is over 8 %, made at once; 50 waits until seven decisions after that."""
    assert in_force(WEEKLY, [100, 107, 109, *[50] * 7]) == [100, 100, 109, *[109] * 6, 50]


def test_calm_ignores_rises_of_a_tenth_and_falls_of_a_fifth() -> None:
    """110 is no change from 100; 111 is. 89 is 19.8 % under 111, no change; 88 is 20.7 % under it."""
    assert in_force(CALM, [100, 110, 111, 89, 88]) == [100, 100, 111, 111, 88]


def test_a_rest_delays_a_fall_and_not_a_rise() -> None:
    """Rest 2: the fall on the day after a change waits a day; the rise does not."""
    assert in_force(HoldRule(0.1, 0.2, 2), [100, 50, 50, 80]) == [100, 100, 50, 80]


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=30))
def test_the_limit_in_force_is_never_far_below_the_one_wanted(wanted: list[float]) -> None:
    """At most the 10 % that a rise must exceed."""
    for limit, want in zip(in_force(CALM, wanted), wanted, strict=True):
        assert limit >= want / (1 + CALM.raise_ratio) * (1 - 1e-12)


def test_without_an_answer_the_old_limit_stays() -> None:
    assert in_force(CALM, [100, NAN, NAN]) == [100, 100, 100]


TARGET = 0.02


def realised(rates: list[float], own: float, days: int = RATE_DAYS, workloads: int = 100_000) -> Realised:
    """Every group ran at these rates at the first prices (and at the last of them at all others)."""
    per_price = [*rates, *[rates[-1]] * (len(PRICES["memory"]) - len(rates)), own / TARGET]
    overruns = np.broadcast_to(np.array(per_price) * workloads, (days, 3, len(per_price)))
    return Realised(overruns.copy(), np.full((days, 3), float(workloads)))


def test_a_target_between_two_prices_is_met_between_their_limits() -> None:
    """Rates 4 % and 1 %, target 2 %: half way in the logarithm, so sqrt(100 x 400) = 200."""
    limits = np.array([[100.0, *[400.0] * (len(PRICES["memory"]) - 1)]])
    met = meet("memory", 0.02, realised([0.04, 0.01], own=0.02), np.array([1]), limits)
    assert met[0] == pytest.approx(200, rel=1e-3)


def test_a_target_that_was_missed_is_aimed_off_by_a_quarter_at_most() -> None:
    """Own rate 4 % at a target of 2 % asks for half, cut at 2 % / 1.25; on target it asks for the target."""
    assert realised([0.02], own=0.04).aim(0.02) == pytest.approx(np.full(3, 0.02 / CORRECTION))
    assert realised([0.02], own=0.02).aim(0.02) == pytest.approx(np.full(3, 0.02))


def test_before_enough_days_were_seen_the_usual_price_serves() -> None:
    """2.14 % is what memory's price 2, the fifth, ran at; 99 workload-days change nothing, 100 do."""
    limits = np.arange(12.0)[None] + 1
    assert meet("memory", 0.0214, Realised.empty("memory"), np.array([0]), limits)[0] == pytest.approx(5.0)
    few, enough = (realised([0.04, 0.02, 0.001], own=0.02, days=1, workloads=n) for n in (99, 100))
    assert meet("memory", 0.0214, few, np.array([0]), limits)[0] == pytest.approx(5.0)
    assert 2 < meet("memory", 0.0214, enough, np.array([0]), limits)[0] < 2.5


def test_rates_never_rise_with_the_price() -> None:
    """A higher price that ran worse by chance counts as the one below it."""
    rates = realised([0.01, 0.03, 0.02], own=0.01).rates()
    assert np.all(np.diff(rates, axis=1) <= 0)


def test_a_day_is_counted_in_its_group_and_unseen_workloads_in_none() -> None:
    """Group 0: overruns 1 and 0; group 2: not seen."""
    prices = len(PRICES["memory"]) + 1
    overrun = np.array([[1.0] * prices, [0.0] * prices, [NAN] * prices])
    day = Realised.empty("memory").after(overrun, np.array([0, 0, 2]))
    assert day.overruns[0, :, 0].tolist() == [1, 0, 0]
    assert day.seen[0].tolist() == [2, 0, 0]


def test_volatility_groups_are_terciles() -> None:
    assert volatility_groups(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])).tolist() == [0, 0, 1, 1, 2, 2]


def test_cpu_follows_a_rise_of_over_a_tenth_up_to_the_cap() -> None:
    """Limit 1: 1.1 is no rise, 1.2 is, 9 is cut at 4, an unknown level changes nothing."""
    limit, cap = np.ones(4), np.full(4, 4.0)
    assert follow(limit, np.array([1.1, 1.2, 9.0, NAN]), cap).tolist() == [1.0, 1.2, 4.0, 1.0]
