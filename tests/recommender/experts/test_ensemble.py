"""The expert ensemble: weights, prices, records and priors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recommender.sizing.experts import windows
from recommender.sizing.experts.catalogue import CPU, EXPERTS, MEMORY, Resource
from recommender.sizing.experts.cold import cold_limits, is_cold
from recommender.sizing.experts.days import LEVELS, REACH_DAYS, Days, share_above
from recommender.sizing.experts.decide import PRIOR_DAYS, Evidence, choose, evidence, sized_price
from recommender.sizing.experts.explain import explain
from recommender.sizing.experts.ledger import HALF_LIFE_DAYS, Ledger, Losses, held, losses
from recommender.sizing.experts.prior import CLASSES, Cuts, Prior, Traits

NAN = float("nan")
GIB = float(1 << 30)
RESOURCES: tuple[Resource, ...] = ("cpu", "memory")


def days_of(peaks: list[float]) -> Days:
    """One workload whose days are flat: all quantiles are the peak."""
    return Days.newest(np.repeat(np.array(peaks, dtype=float)[None, :, None], len(LEVELS), axis=2))


def statistic(experts: object, name: str, days: Days) -> float:
    return float(getattr(experts, "statistics")[name](days)[0])  # noqa: B009  # experts is CPU or MEMORY


losses_of_experts = arrays(float, (4, 6), elements=st.floats(0, 1))


@given(losses_of_experts, losses_of_experts, st.floats(0.1, 100), st.sampled_from(RESOURCES))
def test_weights_sum_to_one_and_the_limit_lies_among_the_experts(
    slack: np.ndarray, overrun: np.ndarray, price: float, resource: Resource
) -> None:
    limits = np.exp(np.arange(24.0)).reshape(4, 6)
    choice = choose(resource, Evidence(limits, slack, overrun, np.zeros(4)), price)
    assert choice.weights.sum(axis=1) == pytest.approx(np.ones(4))
    assert np.all(choice.limit >= limits.min(axis=1) * (1 - 1e-9))
    assert np.all(choice.limit <= limits.max(axis=1) * (1 + 1e-9))


@settings(max_examples=50)
@given(st.floats(0.1, 50), st.floats(1.1, 20), st.sampled_from(RESOURCES))
def test_a_higher_price_of_risk_never_expects_more_overruns_nor_a_smaller_limit(
    price: float, factor: float, resource: Resource
) -> None:
    """Experts of rising limits, rising slack and falling overruns, as on any real record: the blend moves up."""
    limits = np.linspace(1, 6, 30)[None]
    known = Evidence(limits, 1 - 1 / limits, np.exp(-3 * limits), np.zeros(1))
    low, high = choose(resource, known, price), choose(resource, known, price * factor)
    assert high.overrun[0] <= low.overrun[0] * 1.05  # memory's blend widens with the price, by less than this
    assert high.limit[0] >= low.limit[0] * 0.99


def test_the_blend_is_a_geometric_mean_weighted_by_cost() -> None:
    """CPU, price 1: costs 0.30 and 0.305, one temperature apart, so weights 1 : 1/e. Limits 1 and 4:
    4 ** (1 / (1 + e))."""
    known = Evidence(np.array([[1.0, 4.0]]), np.array([[0.1, 0.3]]), np.array([[0.2, 0.005]]), np.zeros(1))
    choice = choose("cpu", known, 1.0)
    assert choice.weights[0] == pytest.approx([np.e / (1 + np.e), 1 / (1 + np.e)])
    assert choice.limit[0] == pytest.approx(4 ** (1 / (1 + np.e)))


def test_losses_of_memory_count_a_day_and_those_of_cpu_its_time() -> None:
    """Quantiles P50 1, P75 2, P90 3, P95 4, P99 6, peak 8. Limit 8: slack 1 - 4/8, nothing above. Limit 3: no slack;
    memory is one OOM-day, CPU is above it a tenth of the time."""
    day = np.array([[1.0, 2, 3, 4, 6, 8]])
    limits = np.array([[8.0, 3.0]])
    memory, cpu = losses("memory", day, limits), losses("cpu", day, limits)
    assert memory.slack.tolist() == [[0.5, 0.0]]
    assert memory.overrun.tolist() == [[0.0, 1.0]]
    assert cpu.overrun[0] == pytest.approx([0.0, 0.1])


def test_a_day_unseen_is_no_loss_and_leaves_the_record_alone() -> None:
    gone = losses("memory", np.full((1, 6), NAN), np.array([[5.0]]))
    assert not gone.known().any()
    record = Ledger.empty(1, 1).after(Losses(np.array([[0.5]]), np.array([[1.0]])))
    assert record.after(gone).slack[0, 0] == record.slack[0, 0]
    assert record.after(gone).weight[0] == 1.0


def test_a_record_loses_half_its_weight_in_thirty_days() -> None:
    """A loss of 1, then 30 days without any: 1/2 remains; the weight is the geometric sum of 31 days."""
    record = Ledger.empty(1, 1).after(Losses(np.ones((1, 1)), np.zeros((1, 1))))
    for _ in range(HALF_LIFE_DAYS):
        record = record.after(Losses(np.zeros((1, 1)), np.zeros((1, 1))))
    keep = 2 ** (-1 / HALF_LIFE_DAYS)
    assert record.slack[0, 0] == pytest.approx(0.5, rel=1e-5)
    assert record.weight[0] == pytest.approx((1 - keep**31) / (1 - keep), rel=1e-5)


def test_decisions_in_force_on_one_day_share_its_loss() -> None:
    """Three decisions: losses 0 and 1, and one whose limits did not exist yet: 1/2."""
    three = [Losses(np.array([[x]]), np.array([[x]])) for x in (0.0, 1.0, NAN)]
    assert held(three).slack[0, 0] == 0.5


def test_own_record_and_class_are_mixed_by_days() -> None:
    """Memory: own record of weight 15 with loss 0.2 a day, class mean 0.6 of very many days: prior of 15 days, so 0.4."""
    assert PRIOR_DAYS["memory"] == 15
    record = Ledger(np.array([[3.0]], np.float32), np.zeros((1, 1), np.float32), np.array([15.0], np.float32))
    many = np.full(CLASSES, 1e9)
    prior = Prior(0.6 * many[:, None], np.zeros((CLASSES, 1)), many)
    known = evidence("memory", np.ones((1, 1)), record, prior, np.array([7]))
    assert known.slack[0, 0] == pytest.approx(0.4)
    assert known.own_share[0] == pytest.approx(0.5)


def test_priors_of_two_fleets_add_up() -> None:
    """A fleet seen in two parts leaves the prior of the whole."""
    draw = np.random.default_rng(0)
    day = Losses(draw.random((8, 3)), draw.random((8, 3)))
    classes = draw.integers(0, CLASSES, 8)
    parts = [
        Prior.empty(3).after(classes[rows], Losses(day.slack[rows], day.overrun[rows]))
        for rows in (slice(0, 3), slice(3, 8))
    ]
    whole = Prior.empty(3).after(classes, day)
    assert (parts[0] + parts[1]).slack == pytest.approx(whole.slack)
    assert (parts[0] + parts[1]).count.tolist() == whole.count.tolist()


def test_a_class_without_members_is_judged_by_the_fleet() -> None:
    """50 days of loss 0.3 in class 0: class 0 and, by shrinkage alone, every other one expects 0.3."""
    day = Losses(np.full((50, 1), 0.3), np.zeros((50, 1)))
    slack, _ = Prior.empty(1).after(np.zeros(50, int), day).means()
    assert slack[:, 0] == pytest.approx(np.full(CLASSES, 0.3))


def test_a_trait_that_is_not_known_counts_as_the_middle() -> None:
    """Fill 0 to 4 fall into bins 0 to 4 of five; a workload without a known size into bin 2."""
    fleet = Traits(np.zeros(5), np.arange(5.0), np.zeros(5), np.zeros(5))
    unknown = Traits(np.zeros(1), np.array([NAN]), np.zeros(1), np.zeros(1))
    cuts = Cuts.of(fleet)
    assert (cuts.classes(fleet) // 6).tolist() == [0, 1, 2, 3, 4]
    assert cuts.classes(unknown)[0] // 6 == 2


@given(arrays(float, (3, 6), elements=st.floats(0.01, 1e3)), st.floats(0, 2e3))
def test_the_share_above_falls_with_the_limit_and_is_right_at_the_kept_quantiles(day: np.ndarray, limit: float) -> None:
    day = np.sort(day, axis=1)
    low, high = share_above(day, np.full((3, 1), limit)), share_above(day, np.full((3, 1), limit * 1.5 + 1e-6))
    assert np.all((low >= high) & (high >= 0) & (low <= 1))
    at_peak = share_above(day, day[:, -1:])
    assert at_peak.tolist() == [[0.0]] * 3


def test_a_weekly_peak_stays_in_view() -> None:
    """8 GiB seven days ago, 2 GiB since: the expert of the same weekday and the maximum of a week still say 8."""
    week = days_of([8 * GIB, *[2 * GIB] * 6])
    assert statistic(MEMORY, "max of same weekday", week) == 8 * GIB
    assert statistic(MEMORY, "max 7 d", week) == 8 * GIB
    assert statistic(MEMORY, "max 1 d", week) == 2 * GIB
    assert statistic(MEMORY, "2nd highest day of 7", week) == 2 * GIB


def test_deviations_of_log_peaks() -> None:
    """Peaks 1 and e^2: logs 0 and 2, mean 1, deviation 1: mean + 1.5 deviations is e^2.5."""
    assert statistic(MEMORY, "mean peak + 1.5 deviations", days_of([1.0, np.e**2])) == pytest.approx(np.e**2.5)


def test_one_day_is_enough_for_every_expert_and_none_gives_none() -> None:
    for experts in (CPU, MEMORY):
        assert np.all(experts.limits(days_of([2.0]), 0.01, np.array([NAN])) > 0)
        assert np.isnan(experts.limits(days_of([NAN]), 0.01, np.array([NAN]))).all()


@given(arrays(float, (2, REACH_DAYS), elements=st.one_of(st.floats(0.01, 1e6), st.just(NAN))))
def test_windows_agree_with_numpy_on_the_days_seen(values: np.ndarray) -> None:
    for row, days in enumerate(values):
        seen = days[~np.isnan(days)]
        if seen.size:
            assert windows.highest(values)[row] == seen.max()
            assert windows.median(values)[row] == pytest.approx(np.median(seen))
            assert windows.kth_highest(values, 2)[row] == np.sort(seen)[max(-2, -seen.size)]
            assert windows.mean_and_deviation(values)[1][row] == pytest.approx(seen.std(), abs=1e-6 * seen.max())


@pytest.mark.parametrize("resource", RESOURCES)
def test_state_of_a_workload_is_small(resource: Resource) -> None:
    """Two float32 per expert, a weight, and 30 days of six float32: under 1.7 KB a resource, 3.3 KB for both."""
    experts = len(EXPERTS[resource])
    assert 2 * 4 * experts + 4 + REACH_DAYS * len(LEVELS) * 4 < 1.7 * 1024


def test_money_mode_charges_the_large_less() -> None:
    """Exponent 0.1: 1,024 GiB pays 1024 ** -0.1 = 1/2 of the price of 1 GiB; an unknown level the plain price."""
    level = np.log(np.array([GIB, 1024 * GIB, NAN]))
    assert sized_price("memory", 4.0, level, 0.1) == pytest.approx([4.0, 2.0, 4.0])


def test_an_explanation_names_the_three_heaviest_experts() -> None:
    """Expert 0 is `max 1 d x1`; its cost is the least, so it leads; own share and expectations are the blend's."""
    count = len(MEMORY)
    limits, slack = np.linspace(1, 2, count)[None], np.linspace(0.1, 0.9, count)[None]
    known = Evidence(limits, slack, np.zeros((1, count)), np.array([0.25]))
    choice = choose("memory", known, 1.0)
    found = explain(MEMORY, known, choice, 0)
    assert [carrier.expert for carrier in found.carriers] == ["max 1 d x1", "max 1 d x1.08", "max 1 d x1.16"]
    assert found.carriers[0].weight > found.carriers[1].weight > found.carriers[2].weight
    assert (found.own_share, found.overrun) == (0.25, 0.0)
    assert found.slack == pytest.approx(float(choice.slack[0]))


def test_a_young_workload_gets_its_maximum_and_a_margin() -> None:
    """Six days of at most 4: memory 4 x 1.15, cut at a cap of 4.5; with a seventh day it is no longer cold; without a
    day there is no answer."""
    young, week, unseen = days_of([1, 4, 2, 1, 1, 1]), days_of([1.0] * 7), days_of([NAN])
    assert is_cold(young).tolist() == [True]
    assert is_cold(week).tolist() == [False]
    assert cold_limits("memory", young, 0.1, np.array([NAN]))[0] == pytest.approx(4.6)
    assert cold_limits("memory", young, 0.1, np.array([4.5]))[0] == 4.5
    assert np.isnan(cold_limits("cpu", unseen, 0.1, np.array([4.5])))[0]
