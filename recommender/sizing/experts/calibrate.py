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


@dataclass(frozen=True, slots=True)
class Realised:
    """The newest 20 days: overruns [days, groups, prices + 1] of the limit at each price and, last, of the limit that
    was in force; workloads seen [days, groups]."""

    overruns: Array
    seen: Array

    @classmethod
    def empty(cls, resource: Resource) -> Realised:
        return cls(np.zeros((0, GROUPS, len(PRICES[resource]) + 1)), np.zeros((0, GROUPS)))

    def after(self, overrun: Array, groups: Array) -> Realised:
        """With one more day: `overrun` [n, prices + 1] (NaN: not seen), `groups` [n] as of that morning."""
        known = ~np.isnan(overrun[:, 0])
        member = (groups[:, None] == np.arange(GROUPS)) & known[:, None]
        total = np.einsum("ng,np->gp", member.astype(float), np.nan_to_num(overrun))
        return Realised(
            np.concatenate([self.overruns, total[None]])[-OWN_DAYS:],
            np.concatenate([self.seen, member.sum(axis=0)[None]])[-OWN_DAYS:],
        )

    def rates(self) -> Array:
        """Overruns per workload-day at each price, never rising with it. [groups, prices]

        A quarter of an overrun is added, so that none in a few days is not taken for safety.
        """
        overruns, seen = self.overruns[-RATE_DAYS:, :, :-1].sum(axis=0), self.seen[-RATE_DAYS:].sum(axis=0)
        return np.asarray(np.minimum.accumulate((overruns + 0.25) / (seen + 1.0)[:, None], axis=1))

    def aim(self, target: float) -> Array:
        """The rate to ask for now so that `target` is met over time; one overrun is added to both sides. [groups]"""
        own, due = self.overruns[:, :, -1].sum(axis=0), target * self.seen.sum(axis=0)
        return np.asarray(target * np.clip((due + 1) / (own + 1), 1 / CORRECTION, CORRECTION))


def meet(target: float, realised: Realised, groups: Array, limits: Array) -> Array:
    """Limits whose group ran at `target` lately: between the two prices around it, log-limits by log-rate.

    limits [n, prices], groups [n]; to [n]. Outside the rates seen the first or last price serves; before the first day
    the middle one.
    """
    if not len(realised.seen):
        return np.asarray(limits[:, limits.shape[1] // 2])
    rates, aims = np.log(realised.rates()), np.log(realised.aim(target))
    steps = np.arange(limits.shape[1])
    place = np.array([np.interp(-aim, -rate, steps) for aim, rate in zip(aims, rates, strict=True)])[groups]
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, limits.shape[1] - 1)
    rows, logs = np.arange(len(limits)), np.log(limits)
    return np.asarray(np.exp(logs[rows, low] + (logs[rows, high] - logs[rows, low]) * (place - low)))


def volatility_groups(volatility: Array) -> Array:
    """Tercile of each workload, 0 to 2. [n]"""
    known = volatility[~np.isnan(volatility)]
    cuts = np.quantile(known, np.arange(1, GROUPS) / GROUPS) if known.size else np.zeros(GROUPS - 1)
    return np.searchsorted(cuts, np.nan_to_num(volatility))
