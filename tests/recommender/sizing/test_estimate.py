"""Each small estimator by its arithmetic, as VPA's estimator_test.go has them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.histogram import to_log_code
from models.profile import MEMORY
from models.reasons import Reason
from recommender.sizing import estimate
from recommender.sizing.estimate import Estimate
from recommender.sizing.usage import Usage, draw_usage
from tests.recommender.sizing.profiles import GIB, MIB, NOW_MS, Workload, policy, profiles

NAN = float("nan")


def usage_of(workload: Workload, **changed: float | str) -> Usage:
    return draw_usage(profiles(workload), policy(**changed), NOW_MS)


def constant(value: float) -> Estimate:
    return Estimate(np.array([value]), np.zeros(1, dtype=np.uint64))


def test_cpu_percentile() -> None:
    """80 samples in the bucket of 0.5 cores and 20 in that of 1.0.

    Buckets are 0.2 * (1.05^b - 1): b = 25 covers [0.4773, 0.5111) and b = 36 covers [0.9584, 1.0163). P90 is half-way
    through the upper one: 0.9584 + 0.5 * 0.0579 = 0.9873; P80 is the upper edge of the lower one, 0.5111.
    """
    usage = usage_of(Workload(cpu={0.5: 80, 1.0: 20}))
    assert estimate.cpu_percentile(usage, 1).value[0] == pytest.approx(0.9873, abs=1e-4)
    assert estimate.cpu_percentile(usage, 0).value[0] == pytest.approx(0.5111, abs=1e-4)
    assert estimate.cpu_percentile(usage, 1).reasons[0] == Reason.PERCENTILE


def test_a_percentile_is_never_above_the_peak() -> None:
    """All samples are 0.5: the bucket reaches to 0.5111, and nobody ever saw more than 0.5."""
    assert estimate.cpu_percentile(usage_of(Workload(cpu={0.5: 100})), 1).value[0] == pytest.approx(0.5)


def test_margin() -> None:
    """3.14 cores and 10 % are 3.454; a margin of 0 is no reason."""
    raised = estimate.with_margin(constant(3.14), np.array([0.1]))
    assert raised.value[0] == pytest.approx(3.14 * 1.1)
    assert raised.reasons[0] == Reason.MARGIN
    assert estimate.with_margin(constant(3.14), np.array([0.0])).reasons[0] == 0


@pytest.mark.parametrize(
    ("days", "upper", "lower"),
    [
        (0.0, 1 + 1 / 0.25, (1 + 0.02 / 0.02) ** -2),  # 5 and 0.25
        (1 / 24, 4.4286, 0.5702),  # 1 + 1/0.29167; (1 + 0.02/0.061667)^-2
        (0.5, 1 + 1 / 0.75, 0.9273),  # 2.33; (1 + 0.02/0.52)^-2
        (1.0, 1.8, 0.9619),  # 1 + 1/1.25; (1 + 0.02/1.02)^-2
        (7.0, 1 + 1 / 7.25, 0.9943),  # 1.138; (1 + 0.02/7.02)^-2
    ],
)
def test_confidence_widens_short_history_within_bounds(days: float, upper: float, lower: float) -> None:
    """VPA's multiplier is infinite and 0 without history; this one is 5 and 0.25, and after a day much like VPA's."""
    usage = usage_of(Workload(days=days))
    assert estimate.widened_up(constant(1.0), usage).value[0] == pytest.approx(upper, rel=1e-4)
    assert estimate.widened_down(constant(1.0), usage).value[0] == pytest.approx(lower, rel=1e-3)


def test_memory_peak_keeps_a_weekly_job_in_view() -> None:
    """8 GiB once, 20 days ago, and 2 GiB since: 8 GiB counts. VPA forgets it in three days."""
    peak = estimate.memory_peak(usage_of(Workload(memory=[2 * GIB] * 20 + [8 * GIB])), np.array([0.0]))
    assert peak.value[0] == 8 * GIB
    assert peak.reasons[0] == Reason.PEAK | Reason.WEEKLY_PEAK


def test_memory_peak_looks_back_as_far_as_policy_says() -> None:
    """With 14 days of peaks, one of 20 days ago is no reason any more."""
    workload = Workload(memory=[2 * GIB] * 20 + [8 * GIB])
    peak = estimate.memory_peak(usage_of(workload, memory_peak_days=14), np.array([0.0]))
    assert peak.value[0] == 2 * GIB
    assert peak.reasons[0] == Reason.PEAK


def test_policy_may_allow_peaks_to_be_exceeded() -> None:
    """0.1 of 20 days are 2 days: of 9, 8, 7, 1, 1, ... GiB the third is covered."""
    workload = Workload(memory=[9 * GIB, 8 * GIB, 7 * GIB] + [GIB] * 17)
    peak = estimate.memory_peak(usage_of(workload), np.array([0.1]))
    assert peak.value[0] == 7 * GIB
    assert peak.reasons[0] == Reason.PEAK | Reason.OVERRUN_ALLOWED


def test_allowing_everything_still_covers_the_lowest_peak() -> None:
    """A ratio of 1 would skip all 3 days; the lowest of them stays."""
    peak = estimate.memory_peak(usage_of(Workload(memory=[3 * GIB, 2 * GIB, GIB])), np.array([1.0]))
    assert peak.value[0] == GIB


@pytest.mark.parametrize(
    ("seen", "bumped"),
    [
        (GIB, GIB * 1.2),  # 20 % of 1 GiB are 205 MiB, more than 100 MiB
        (300 * MIB, 400 * MIB),  # 20 % are 60 MiB: the least bump of 100 MiB counts
        (40 * MIB, 80 * MIB),  # 100 MiB more would be 3.5 times as much: doubled at most
    ],
)
def test_an_oom_kill_bumps_what_was_seen(seen: float, bumped: float) -> None:
    """min(max(seen * 1.2, seen + 100 MiB), seen * 2)."""
    usage = usage_of(Workload(memory=[seen], oom_days_ago=1, oom_peak=seen))
    bump = np.array([0.2]), np.array([100 * MIB]), np.array([1.0])
    raised = estimate.with_oom_bump(constant(seen), usage, np.array([True]), bump)
    assert raised.value[0] == pytest.approx(bumped)
    assert raised.reasons[0] == Reason.OOM_BUMP
    assert estimate.with_oom_bump(constant(seen), usage, np.array([False]), bump).value[0] == seen


def test_a_kill_without_a_memory_value_bumps_the_highest_peak() -> None:
    """No memory was read in the window of the kill: 1 GiB, the highest peak, stands in for it."""
    usage = usage_of(Workload(memory=[GIB], oom_days_ago=1))
    bump = np.array([0.2]), np.array([0.0]), np.array([1.0])
    raised = estimate.with_oom_bump(constant(GIB), usage, np.array([True]), bump)
    assert raised.value[0] == pytest.approx(1.2 * GIB)


def test_throttling_adds_its_share_up_to_a_bound() -> None:
    """30 % of periods throttled: 1 core becomes 1.3. 90 %: 1.5, the bound. 4 % is under the threshold of 5 %."""
    args = np.array([0.05]), np.array([0.5])
    for throttled, value in ((0.3, 1.3), (0.9, 1.5), (0.04, 1.0), (NAN, 1.0)):
        raised = estimate.with_throttling(constant(1.0), usage_of(Workload(throttled=throttled)), *args)
        assert raised.value[0] == pytest.approx(value)
        assert bool(raised.reasons[0]) == (value > 1)


def test_a_leak_is_carried_on() -> None:
    """Finished days 5, 4, 3, 2, 1 GiB (newest first) grow by 1 GiB a day. Today has 5.1 so far and is not fitted.

    Seven days ahead are 7 GiB, but at most half of the peak of 5.1 GiB is added: 7.65 GiB. One day ahead: 6.1 GiB.
    """
    usage = usage_of(Workload(memory=[g * GIB for g in (5.1, 5, 4, 3, 2, 1)]))
    base = constant(5.1 * GIB)
    week = estimate.with_growth(base, usage, np.array([7.0]), np.array([0.5]))
    assert week.value[0] == pytest.approx(7.65 * GIB, rel=1e-6)
    day = estimate.with_growth(base, usage, np.array([1.0]), np.array([0.5]))
    assert day.value[0] == pytest.approx(6.1 * GIB, rel=1e-6)
    assert day.reasons[0] == Reason.GROWING | Reason.LEAK  # the median day grows along: half of the peak


def test_peaks_that_grow_over_a_calm_median_are_no_leak() -> None:
    """Peaks of 1 to 5 GiB, every day's median 0.5 GiB: what is taken is given back."""
    rows = profiles(Workload(memory=[g * GIB for g in (5.1, 5, 4, 3, 2, 1)]))
    rows["daily_quantile"][0, MEMORY] = np.where(
        rows["daily_quantile"][0, MEMORY] > 0, to_log_code(np.array(0.5 * GIB)), 0
    )
    usage = draw_usage(rows, policy(), NOW_MS)
    assert (
        estimate.with_growth(constant(5.1 * GIB), usage, np.array([1.0]), np.array([0.5])).reasons[0] == Reason.GROWING
    )


@pytest.mark.parametrize(
    "peaks",
    [
        [4.0, 3.0, 2.0, 1.0],  # three finished days are too few
        [4.0, 1.0, 3.0, 1.0, 3.0, 1.0, 3.0],  # a saw-tooth of restarts
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],  # falls
        [2.0, 2.0, 2.0, 2.0, 2.0, 2.0],  # flat
        [1.03, 1.02, 1.015, 1.01, 1.005, 1.0],  # grows by half a per cent a day
        [NAN, NAN, NAN, NAN],  # nothing seen
    ],
)
def test_what_is_no_leak(peaks: list[float]) -> None:
    usage = usage_of(Workload(memory=[peak * GIB for peak in peaks]))
    assert estimate.growth_per_day(usage.peaks, usage.highest)[0] == 0


@given(st.integers(-10, 10), st.lists(st.floats(1e6, 1e12), min_size=1, max_size=32))
def test_growth_scales_with_its_unit(power: int, peaks: list[float]) -> None:
    """Peaks in units of 2^power grow by as many of these units, exactly: the fit works on shares of the highest."""
    array = np.full((32, 1), np.nan)
    array[: len(peaks), 0] = peaks
    highest = np.fmax.reduce(array, axis=0)
    one = estimate.growth_per_day(array, highest)[0]
    assert estimate.growth_per_day(array * 2.0**power, highest * 2.0**power)[0] == one * 2.0**power
