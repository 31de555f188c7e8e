"""From a target rate of overruns to a limit: which price of risk has met it lately, in workloads alike volatile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.sizing.experts.catalogue import Resource

PRICES: Mapping[Resource, tuple[float, ...]] = {
    "memory": (0.3, 0.6, 1, 1.5, 2, 3, 5, 8, 13, 20, 40, 80),
    "cpu": (0.3, 0.5, 1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128),
}
GROUPS = 3
"""Terciles of volatility: calm workloads shall not carry the risk of wild ones."""
RATE_DAYS = 10
"""Prices are judged by these: all history is too cautious, 1 % becomes 0.5 %."""
OWN_DAYS = 20
"""What the target itself led to is judged over these: 10 days hold two or three overruns of a calm group."""
CORRECTION = 1.25
"""The aim is at most this far off the target, either way."""
ENOUGH_SEEN = 100
"""Workload-days of a group in RATE_DAYS under which its rates say nothing, and the usual price serves: at 1 % they hold
one overrun."""
USUAL: Mapping[Resource, tuple[float, float, float]] = {"memory": (2.0, 0.0214, 1.0), "cpu": (8.0, 0.0171, 0.92)}
"""A price, the rate it ran at on the month of Bitbrains, and how the rate fell with the price (its power): memory 4.6 %
at 1, 2.1 % at 2, 0.96 % at 5; CPU 2.65 % at 4, 1.7 % at 8, 0.86 % at 16, 0.40 % at 32."""


@dataclass(frozen=True, slots=True)
class Realised:
    """The newest 20 days: overruns [days, groups, prices + 1] of the limit at each price and, last, of the limit that
    was in force, each over the rate that was asked of it; workloads seen [days, groups]."""

    overruns: Array
    seen: Array

    @classmethod
    def empty(cls, resource: Resource) -> Realised:
        return cls(np.zeros((0, GROUPS, len(PRICES[resource]) + 1)), np.zeros((0, GROUPS)))

    def after(self, overrun: Array, groups: Array) -> Realised:
        """With one more day: `overrun` [n, prices + 1] (NaN: not seen), `groups` [n] as of that morning."""
        total, seen = day_of_groups(overrun, groups)
        return Realised(
            np.concatenate([self.overruns, total[None]])[-OWN_DAYS:],
            np.concatenate([self.seen, seen[None]])[-OWN_DAYS:],
        )

    def rates(self) -> Array:
        """Overruns per workload-day at each price, never rising with it. [groups, prices]

        A quarter of an overrun is added, so that none in a few days is not taken for safety.
        """
        overruns, seen = self.overruns[-RATE_DAYS:, :, :-1].sum(axis=0), self.seen[-RATE_DAYS:].sum(axis=0)
        return np.asarray(np.minimum.accumulate((overruns + 0.25) / (seen + 1.0)[:, None], axis=1))

    def aim(self, target: float) -> Array:
        """The rate to ask for now so that `target` is met over time; one overrun is added to both sides. [groups]"""
        own, due = target * self.overruns[:, :, -1].sum(axis=0), target * self.seen.sum(axis=0)
        return np.asarray(target * np.clip((due + 1) / (own + 1), 1 / CORRECTION, CORRECTION))


def day_of_groups(overrun: Array, groups: Array) -> tuple[Array, Array]:
    """Sums of one day: overruns [groups, prices + 1] of `overrun` [n, prices + 1] (NaN: not seen), and workloads seen
    [groups]."""
    known = ~np.isnan(overrun[:, 0])
    member = (groups[:, None] == np.arange(GROUPS)) & known[:, None]
    return np.einsum("ng,np->gp", member.astype(float), np.nan_to_num(overrun)), member.sum(axis=0).astype(float)


def places(resource: Resource, target: float, realised: Realised) -> Array:
    """Where among PRICES each group ran at `target` lately, [groups]: 1.5 is half way from the second to the third.

    Log-rate is linear between prices. Outside the rates seen the first or last price serves.
    """
    usual = np.full(GROUPS, usual_place(resource, target))
    if not len(realised.seen):
        return usual
    rates, aims = np.log(realised.rates()), np.log(realised.aim(target))
    steps = np.arange(rates.shape[1])
    found = np.array([np.interp(-aim, -rate, steps) for aim, rate in zip(aims, rates, strict=True)])
    return np.where(realised.seen[-RATE_DAYS:].sum(axis=0) >= ENOUGH_SEEN, found, usual)


def usual_place(resource: Resource, target: float) -> float:
    """The place of the price that runs at `target` on a fleet like Bitbrains."""
    price, rate, power = USUAL[resource]
    wanted = np.log(price) + np.log(rate / target) / power
    prices = np.log(PRICES[resource])
    return float(np.interp(wanted, prices, np.arange(len(prices))))


def between(place: Array, values: Array) -> Array:
    """`values` [n, prices] at a place each [n], linear in their logarithm. [n]"""
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, values.shape[1] - 1)
    rows, logs = np.arange(len(values)), np.log(values)
    return np.asarray(np.exp(logs[rows, low] + (logs[rows, high] - logs[rows, low]) * (place - low)))


def meet(resource: Resource, target: float, realised: Realised, groups: Array, limits: Array) -> Array:
    """Limits whose group ran at `target` lately: between the two prices around it. limits [n, prices], groups [n]; [n]."""
    return between(places(resource, target, realised)[groups], limits)


def group_cuts(volatility: Array) -> Array:
    """Where the groups end: the inner terciles of a fleet. [2]"""
    known = volatility[~np.isnan(volatility)]
    return np.quantile(known, np.arange(1, GROUPS) / GROUPS) if known.size else np.zeros(GROUPS - 1)


def groups_of(volatility: Array, cuts: Array) -> Array:
    """The group of each workload, 0 to 2, [n]; one of unknown volatility counts as calm."""
    return np.searchsorted(cuts, np.nan_to_num(volatility))


def volatility_groups(volatility: Array) -> Array:
    """Tercile of each workload among these, 0 to 2. [n]"""
    return groups_of(volatility, group_cuts(volatility))
