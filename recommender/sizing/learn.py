"""One finished day of one slab: charge it to the experts, then find the limits for the next day.

`charge`, `look_back` and `set_limits` write the rows of `Records` that they are given; what the fleet learns is handed back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.sizing.experts.calibrate import PRICES, between, groups_of, places
from recommender.sizing.experts.catalogue import EXPERTS, SMALLEST, Experts
from recommender.sizing.experts.days import Days
from recommender.sizing.experts.decide import Choice, Evidence, choose, evidence
from recommender.sizing.experts.explain import heaviest
from recommender.sizing.experts.ledger import Losses, losses
from recommender.sizing.experts.prior import Traits
from recommender.sizing.fleet import Ends, Taught
from recommender.sizing.history import History
from recommender.sizing.records import NAMES, Records

LEARN_FROM_DAYS = 2
"""Decisions resting on fewer days are not charged: all statistics are the same then."""
CALIBRATE_FROM_DAYS = 3
"""Prices are watched from decisions with as many days on."""
CPU_CAP_RATIO = 1.05
"""CPU usage exceeds its nominal size in 2 % of samples (turbo), so the cap lies above what was ever used."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """largest: [n, 2] the largest limit that a workload was ever given, NaN for none; rate: [n, 2] its target rates."""

    largest: Array
    rate: Array


def charge(
    history: History, records: Records, rows: Array, resource: int, day: int, ends: Ends, taught: Taught
) -> Taught:
    """Charge `day` to the experts of these rows. Returns `taught` with the day added."""
    name, found = NAMES[resource], records.arrays
    before, today = history.before(rows, resource, day), history.at(rows, resource, day)
    traits, seen = records.traits(resource, rows), before.seen()
    if (seen >= LEARN_FROM_DAYS).any():
        limits = EXPERTS[name].limits(before, SMALLEST[name], found["cap"][rows, resource])
        lost = _known(losses(name, today, limits), seen >= LEARN_FROM_DAYS)
        records.keep_ledger(resource, rows, records.ledger(resource, rows).after(lost))
        taught = taught.with_losses(ends.cuts.classes(traits), lost)
    if (seen >= CALIBRATE_FROM_DAYS).any():
        watched = np.concatenate([found[f"{name}_priced"][rows], found["limit"][rows, resource, None]], axis=1)
        overrun = losses(name, today, watched.astype(np.float64)).overrun
        overrun[:, -1] /= found["rate"][rows, resource]
        overrun[(seen < CALIBRATE_FROM_DAYS) | np.isnan(overrun[:, -1])] = np.nan
        taught = taught.with_overruns(day, overrun, groups_of(traits.volatility, ends.groups))
    return taught


def look_back(history: History, records: Records, rows: Array, resource: int, day: int, sizes: Sizes) -> Days:
    """Take `day` into the cap and the traits of these rows, and return the days up to it."""
    days = history.before(rows, resource, day + 1)
    cap = np.fmax(records.arrays["cap"][rows, resource], sizes.largest[rows, resource])
    if NAMES[resource] == "cpu":
        cap = np.fmax(
            cap, CPU_CAP_RATIO * np.fmax(sizes.largest[rows, resource], history.at(rows, resource, day)[:, -1])
        )
    records.arrays["cap"][rows, resource] = cap
    traits = Traits.of(days, cap)
    together = np.stack([traits.level, traits.fill, traits.spread, traits.volatility], axis=1)
    records.arrays["traits"][rows, resource] = together
    return days


def set_limits(
    days: Days, records: Records, rows: Array, resource: int, ends: Ends, taught: Taught, sizes: Sizes
) -> None:
    """Find the limits of these rows for the day after `days`, and what carried them."""
    name, found = NAMES[resource], records.arrays
    experts, cap = EXPERTS[name], found["cap"][rows, resource]
    traits = records.traits(resource, rows)
    limits = experts.limits(days, SMALLEST[name], cap)
    known = evidence(name, limits, records.ledger(resource, rows), taught.prior, ends.cuts.classes(traits))
    priced = np.stack([choose(name, known, price).limit for price in PRICES[name]], axis=1)
    priced = np.maximum(np.fmin(priced, cap[:, None]), SMALLEST[name])
    rates = sizes.rate[rows, resource]
    place = _places(resource, rates, taught, groups_of(traits.volatility, ends.groups))
    found[f"{name}_priced"][rows] = priced
    found["limit"][rows, resource] = between(place, priced)
    found["rate"][rows, resource] = rates
    found["days"][rows, resource] = days.seen()
    found["own_share"][rows, resource] = known.own_share
    price = between(place, np.broadcast_to(np.array(PRICES[name], dtype=float), priced.shape))
    _explain(experts, known, choose(name, known, price), records, rows, resource)


def _explain(experts: Experts, known: Evidence, choice: Choice, records: Records, rows: Array, resource: int) -> None:
    found, carriers = records.arrays, heaviest(choice.weights)
    found["slack"][rows, resource], found["overrun"][rows, resource] = choice.slack, choice.overrun
    found["carrier"][rows, resource] = carriers
    found["carrier_weight"][rows, resource] = np.take_along_axis(choice.weights, carriers, 1)
    found["carrier_limit"][rows, resource] = np.take_along_axis(known.limits, carriers, 1)


def _places(resource: int, rates: Array, taught: Taught, groups: Array) -> Array:
    """The place among the prices of each row; policies ask for few different rates."""
    place = np.empty(len(rates))
    for rate in np.unique(rates):
        chosen = rates == rate
        place[chosen] = places(NAMES[resource], float(rate), taught.realised)[groups[chosen]]
    return place


def _known(lost: Losses, where: Array) -> Losses:
    """Losses of these rows alone, and of none whose days hold no sensible number: one would spoil the fleet's sums."""
    kept = (where & np.isfinite(lost.slack).all(axis=1) & np.isfinite(lost.overrun).all(axis=1))[:, None]
    return Losses(np.where(kept, lost.slack, np.nan), np.where(kept, lost.overrun, np.nan))
