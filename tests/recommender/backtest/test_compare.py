"""The product beside its peers: what is compared, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommender.backtest.compare import NOW, OURS, Backtest, Result, compare, verdict, warm_up_days
from recommender.backtest.ensemble import Learner
from recommender.backtest.product import Product, kept_peak
from recommender.backtest.replay import replay
from recommender.backtest.usage import Past, Usage
from recommender.sizing.policy_columns import PolicyTable
from recommender.sizing.settings import PolicyOverride, SizingPolicy
from tests.recommender.backtest.fleets import START_S, fleet, usage
from tests.recommender.sizing.profiles import policy


def test_memory_is_never_under_a_peak_that_policy_keeps() -> None:
    """Every limit covers the highest peak of all days before its own (16 days; policy keeps 32)."""
    made = fleet("memory")
    limits = replay(Product(policy(), Learner("memory")), made).limits[:, :, 0]
    for day in range(7, made.blocks):
        assert np.all(limits[:, day - 7] >= Past(made, day).peak() * (1 - 1e-12))


def test_a_young_workload_has_its_peak_and_a_margin() -> None:
    """Two days with peaks 100 and 120 MB: 138 MB."""
    two = usage([[1e8] * 24, [1.2e8] * 24, [1e8] * 24])
    assert Product(policy(), Learner("memory")).decide(Past(two, 2))[0] == pytest.approx(1.38e8)


def test_it_is_lowered_when_it_stood_for_a_week() -> None:
    """CPU at 4 cores for a day, then at 1: under a week the highest daily P95 + 15 % stands. After that day has left no
    window yet, the limit never rises, and falls at most once in seven days."""
    made = usage([[4.0] * 24] + [[1.0] * 24] * 29, "cpu", size=16.0)
    limits = replay(Product(policy(), Learner("cpu", leave_out=False)), made, 1).limits[0, :, 0]
    assert limits[0] == pytest.approx(4.6)
    falls = np.flatnonzero(np.diff(limits) < 0)
    assert len(falls) >= 1
    assert np.all(np.diff(falls) >= 7)


def test_ours_comes_first_and_requests_only_where_known() -> None:
    made = fleet("memory")
    done = compare(made, PolicyTable(SizingPolicy()))
    assert [result.policy for result in done.results][:2] == [OURS, NOW]
    assert (done.days, done.warm_up_days, done.workloads) == (9, 7, 15)
    bare = Usage(made.resource, made.workloads, made.samples, np.full(made.provisioned.shape, np.nan), START_S)
    assert compare(bare, PolicyTable(SizingPolicy())).of(NOW) is None


def test_each_workload_has_its_own_policy() -> None:
    """One has a floor of 10 GB, one is left to its autoscaler, one may have its highest day above its limit; the others are
    sized as if these were not there."""
    made = fleet("memory")
    plain = replay(Product(policy(), Learner("memory")), made).limits[:, :, 0]
    table = PolicyTable(
        SizingPolicy(),
        [
            PolicyOverride(made.workloads[0], {"memory_floor_bytes": 1e10, "memory_cap_bytes": 2e10}),
            PolicyOverride(made.workloads[1], {"autoscaled": "memory"}),
            PolicyOverride(made.workloads[2], {"memory_overrun_days_ratio": 0.5, "memory_target_oom_days_ratio": 0.5}),
        ],
    )
    usage = replace(made, provisioned=np.full(made.provisioned.shape, 3e10))
    done = replay(Product(table.columns(usage.workloads), Learner("memory")), usage).limits[:, :, 0]
    assert np.all(done[0] >= 1e10)
    assert np.all(done[1] == 3e10)
    assert done[2].mean() < plain[2].mean()


def test_which_peaks_policy_keeps() -> None:
    """Peaks 9, 5, 3, 4 by day, oldest first. The newest three: 5; of all four a quarter may be exceeded, so 5 too."""
    made = usage([[9.0], [5.0], [3.0], [4.0]])
    for changed, kept in (({}, 9.0), ({"memory_peak_days": 3}, 5.0), ({"memory_overrun_days_ratio": 0.25}, 5.0)):
        assert kept_peak(Past(made, 4), policy(**changed)) == [kept]


@pytest.mark.parametrize(("days", "looked_at"), [(2, 1), (4, 2), (8, 4), (9, 7), (30, 7)])
def test_a_short_recording_is_split_in_half(days: int, looked_at: int) -> None:
    assert warm_up_days(days) == looked_at


def test_a_day_is_too_little() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        compare(fleet("cpu", days=1), PolicyTable(SizingPolicy()))


def test_the_verdict_in_plain_words() -> None:
    ours = Result(OURS, "memory", 75.0, 0.2, 0.01, 3, 0.1)
    now = Result(NOW, "memory", 100.0, 0.5, 0.0, 0, 0.0)
    said = list(verdict(Backtest("memory", 10, 30, 300, 7, [ours, now]), lambda value: f"{value:.0f} GiB"))
    assert said == [
        "memory: over 30 days and 10 workloads sizewise would have reserved 75 GiB; 100 GiB were requested, so 25% less.",
        "  usage would have been above it on 3 of 300 workload-days (1.00%).",
    ]
