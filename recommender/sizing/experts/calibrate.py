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
WINDOW_DAYS = 10
"""All history is too cautious: 1 % becomes 0.5 %."""


@dataclass(frozen=True, slots=True)
class Realised:
    """The newest days: overruns [days, groups, prices], workloads that were seen [days, groups]."""

    overruns: Array
    seen: Array

    @classmethod
    def empty(cls, resource: Resource) -> Realised:
        return cls(np.zeros((0, GROUPS, len(PRICES[resource]))), np.zeros((0, GROUPS)))

    def after(self, overrun: Array, groups: Array) -> Realised:
        """With one more day: `overrun` [n, prices] of the limit at each price (NaN: not seen), `groups` [n]."""
        known = ~np.isnan(overrun[:, 0])
        member = (groups[:, None] == np.arange(GROUPS)) & known[:, None]
        total = member.T.astype(float) @ np.nan_to_num(overrun)
        return Realised(
            np.concatenate([self.overruns, total[None]])[-WINDOW_DAYS:],
            np.concatenate([self.seen, member.sum(axis=0)[None]])[-WINDOW_DAYS:],
        )

    def rates(self) -> Array:
        """Overruns per workload-day, falling with the price. [groups, prices]

        Half an overrun is added, so a rate of nothing in a few days is not taken for safety.
        """
        rates = (self.overruns.sum(axis=0) + 0.5) / (self.seen.sum(axis=0) + 1.0)[:, None]
        return np.asarray(np.minimum.accumulate(rates, axis=1))


def meet(target: float, realised: Realised, groups: Array, limits: Array) -> Array:
    """Limits whose group ran at `target` lately: between the two prices around it, log-limits by log-rate.

    limits [n, prices], groups [n]; to [n]. Outside the rates seen, the first or last price serves.
    """
    log_rates = np.log(np.maximum(realised.rates(), 1e-9))
    place = np.array([np.interp(-np.log(target), -group, np.arange(group.size)) for group in log_rates])[groups]
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, limits.shape[1] - 1)
    rows = np.arange(len(limits))
    logs = np.log(limits)
    return np.asarray(np.exp(logs[rows, low] + (logs[rows, high] - logs[rows, low]) * (place - low)))


def volatility_groups(volatility: Array) -> Array:
    """Tercile of each workload, 0 to 2. [n]"""
    known = volatility[~np.isnan(volatility)]
    cuts = np.quantile(known, np.arange(1, GROUPS) / GROUPS) if known.size else np.zeros(GROUPS - 1)
    return np.searchsorted(cuts, np.nan_to_num(volatility))
