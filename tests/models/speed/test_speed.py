"""Slice speed: monotone by construction, exact after a probe, and kept without pickle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.speed.artifact import ArtifactError, dump, load
from models.speed.carried import carried_model
from models.speed.roofline import Roofline
from models.speed.signals import Floats, WholeGpuSignals, coordinates, power_share
from models.speed.table import SpeedTable, monotone
from models.speed.train import TooFewJobsError, TrainSettings, fit_roofline, learn, tabulate, train

SHARES = np.array([[1 / 7, 1 / 8], [1 / 7, 2 / 8], [2 / 7, 2 / 8], [3 / 7, 4 / 8], [4 / 7, 4 / 8], [1.0, 1.0]])
ratios = st.floats(0, 1)
watts = st.floats(0, 250)


MODEL = carried_model()


def demand(power: float, memory: float, busy: float) -> Floats:
    return coordinates(WholeGpuSignals(power, 250.0, memory, busy))


def test_power_is_counted_from_idle() -> None:
    """250 W limit: idle is 40 W, so 145 W is (145 - 40) / (250 - 40) = 0.5; idle and below is the floor."""
    assert power_share(145, 250) == pytest.approx(0.5)
    assert power_share(30, 250) == 0.01


def test_a_signal_that_is_missing_is_named_and_is_no_zero() -> None:
    """Power without its limit says nothing."""
    signals = WholeGpuSignals(100.0, None, None, 0.5)
    assert signals.missing == ("power_watts", "memory_copy_utilization_ratio")
    assert np.isnan(coordinates(signals)).tolist() == [True, True, False]


@given(watts, ratios, ratios)
def test_a_larger_slice_is_never_slower(power: float, memory: float, busy: float) -> None:
    """1g, 1gx2m, 2g, 3g, 4g, 7g: each is at least as large as the one before in both shares."""
    speeds = MODEL.table.predict(demand(power, memory, busy), SHARES)
    assert np.all(np.diff(speeds) >= -1e-12)
    assert speeds[-1] == 1.0


@given(watts, ratios, ratios, watts, ratios, ratios)
def test_more_demand_is_never_faster(p: float, m: float, u: float, dp: float, dm: float, du: float) -> None:
    """More power, more memory traffic, more time busy: no slice is predicted faster."""
    less, more = demand(p, m, u), demand(min(p + dp, 250), min(m + dm, 1), min(u + du, 1))
    assert np.all(MODEL.table.predict(more, SHARES) <= MODEL.table.predict(less, SHARES) + 1e-12)


@given(watts, ratios, ratios, st.integers(0, 4), st.floats(0.05, 1))
def test_after_a_probe_the_order_of_slices_holds_around_it(p: float, m: float, u: float, k: int, seen: float) -> None:
    """Larger slices than the measured one are at least as fast as measured, smaller ones at most."""
    speeds = MODEL.table.after_probe(demand(p, m, u), SHARES, SHARES[k], seen)
    assert speeds[k] == pytest.approx(seen)
    assert np.all(np.diff(speeds) >= -1e-12)


@given(watts, ratios)
def test_a_missing_signal_gives_bounds_that_hold_whatever_it_is(power: float, busy: float) -> None:
    """Memory utilisation unknown: every value of it lies between the bounds."""
    low, high = MODEL.table.bounds(coordinates(WholeGpuSignals(power, 250.0, None, busy)), SHARES)
    for memory in (0.0, 0.2, 0.6, 1.0):
        speeds = MODEL.table.predict(demand(power, memory, busy), SHARES)
        assert np.all((low <= speeds + 1e-12) & (speeds <= high + 1e-12))


def test_the_monotone_table_is_the_least_one_above() -> None:
    """Along a demand axis 0.9, 0.5, 0.8 becomes 0.9, 0.8, 0.8: the outlier goes up, nothing else moves."""
    values = np.array([0.9, 0.5, 0.8]).reshape(3, 1, 1, 1, 1)
    assert monotone(values).ravel().tolist() == [0.9, 0.8, 0.8]


def test_interpolation_is_exact_at_knots_and_halfway_between_them() -> None:
    """Knots 0 and 1 with 1.0 and 0.5 give 0.75 at 0.5; beyond the end the end is held."""
    axes = (np.array([0.0, 1.0]), *(np.array([0.0, 1.0]) for _ in range(4)))
    values = np.broadcast_to(np.array([1.0, 0.5]).reshape(2, 1, 1, 1, 1), (2, 2, 2, 2, 2))
    table = SpeedTable(axes, values)
    share = np.array([[0.5, 0.5]])
    assert [table.predict(np.array([x, 0.0, 0.0]), share)[0] for x in (0.0, 0.5, 1.0, 9.0)] == [1.0, 0.75, 0.5, 0.5]


def made_up(n: int) -> tuple[Floats, Floats, Floats]:
    """Jobs that follow a roofline with known numbers, on four slices each."""
    random = np.random.default_rng(7)
    jobs = np.array([demand(60 + 180 * a, b, c) for a, b, c in random.uniform(0.05, 0.95, (n, 3))])
    rows, shares = np.repeat(jobs, 4, axis=0), np.tile(SHARES[[0, 2, 3, 4]], (n, 1))
    return rows, shares, Roofline((0.3, -0.2, -0.7, 0.5, -0.1, 0.1)).predict(rows, shares)


def test_what_is_learned_is_near_what_made_the_data() -> None:
    """24 made-up jobs: the table is within 0.05 on its own jobs, the roofline finds the speeds within 0.01."""
    rows, shares, speeds = made_up(24)
    table = train(rows, shares, speeds, TrainSettings(trees=50, seeds=(0,), max_knots=12))
    assert np.mean(np.abs(table.predict(rows, shares) - speeds)) < 0.05
    assert np.mean(np.abs(fit_roofline(rows, shares, speeds).predict(rows, shares) - speeds)) < 0.01


def test_too_few_jobs_are_refused_with_the_number_needed() -> None:
    """Three jobs teach nothing about a fourth."""
    with pytest.raises(TooFewJobsError, match=r"3 jobs.*needs 8"):
        train(*made_up(3))


def test_with_too_few_jobs_the_roofline_form_stands_in_and_the_card_says_so() -> None:
    """Three jobs on four slices: six numbers pulled to a prior, within 0.02 on what was measured."""
    rows, shares, speeds = made_up(3)
    model = learn(rows, shares, speeds, MODEL.card, prior=MODEL.roofline)
    assert (model.card.form, model.card.jobs, model.card.pairs) == ("roofline", 3, 12)
    assert np.mean(np.abs(model.roofline.predict(rows, shares) - speeds)) < 0.02


TABULATED = tabulate(MODEL.roofline)


@given(watts, ratios, ratios, watts, ratios, ratios)
def test_the_tabulated_roofline_keeps_both_promises(
    p: float, m: float, u: float, dp: float, dm: float, du: float
) -> None:
    """No slice is slower than a smaller one, none is faster at more demand."""
    less, more = demand(p, m, u), demand(min(p + dp, 250), min(m + dm, 1), min(u + du, 1))
    speeds = TABULATED.predict(less, SHARES)
    assert np.all(np.diff(speeds) >= -1e-12)
    assert np.all(TABULATED.predict(more, SHARES) <= speeds + 1e-12)


def test_the_tabulated_roofline_is_near_the_form() -> None:
    """At a middling job, where the form is monotone, interpolation costs less than 0.02."""
    middling = demand(150, 0.3, 0.6)
    assert np.abs(TABULATED.predict(middling, SHARES) - MODEL.roofline.predict(middling, SHARES)).max() < 0.02


def test_an_artifact_comes_back_as_it_was() -> None:
    """Axes and roofline to the bit, values to 16-bit floats, the card in full."""
    again = load(*dump(MODEL))
    assert again.card == MODEL.card
    assert again.roofline == MODEL.roofline
    assert np.array_equal(again.table.values, MODEL.table.values)


def test_a_changed_artifact_is_refused() -> None:
    """One byte more, a card that is no JSON, a card of another shape."""
    body, card = dump(MODEL)
    for broken in ((body + b"x", card), (body, b"no json"), (body, b'{"format": 1}')):
        with pytest.raises(ArtifactError, match="again"):
            load(*broken)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_less_busy_gpu_never_loses_more_and_hardly_busy_means_hardly_slower(
    power: float, memory: float, busy: float, less: float
) -> None:
    """Outside of the table too: its least busy job is busy 36 % of the time. Busy 1 % it loses at most 8 * 0.01 on an eighth."""
    table, eighth = carried_model().table, np.array([[1 / 7, 1 / 8]])
    more, fewer = (
        table.predict(coordinates(WholeGpuSignals(power, 1.0, memory, u)), eighth)[0] for u in (busy, busy * less)
    )
    assert fewer >= more - 1e-12
    assert table.predict(coordinates(WholeGpuSignals(0.0, 1.0, 0.0, 0.01)), eighth)[0] > 1 / 1.08
