"""Every expert's record on every workload: decayed sums of what its limits would have cost.

The loss of an expert on a day is slack + lambda * overrun. The two parts are kept apart, so one ledger serves every
lambda: two float32 per expert, under 900 bytes a workload and resource.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.sizing.experts.catalogue import Resource
from recommender.sizing.experts.days import LEVELS, share_above

HALF_LIFE_DAYS = 30
"""15 to 90 days differ by 0.2 % of slack at most."""
_KEEP = 2 ** (-1 / HALF_LIFE_DAYS)


@dataclass(frozen=True, slots=True)
class Losses:
    """One finished day: [n, experts] each; NaN for a workload that was not seen that day or has no limits yet."""

    slack: Array
    overrun: Array

    def known(self) -> Array:
        """Workloads with a loss. [n]"""
        return np.asarray(~np.isnan(self.slack).any(axis=1))


@dataclass(frozen=True, slots=True)
class Ledger:
    """slack, overrun: [n, experts], decayed sums; weight: [n], decayed number of days behind them."""

    slack: Array
    overrun: Array
    weight: Array

    @classmethod
    def empty(cls, n: int, experts: int) -> Ledger:
        shape = (n, experts)
        return cls(np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(n, np.float32))

    def after(self, day: Losses) -> Ledger:
        """With one more day. A workload that was not seen keeps its record as it was."""
        known = day.known()
        keep = np.where(known, _KEEP, 1.0)
        return Ledger(
            (self.slack * keep[:, None] + np.where(known[:, None], day.slack, 0.0)).astype(np.float32),
            (self.overrun * keep[:, None] + np.where(known[:, None], day.overrun, 0.0)).astype(np.float32),
            (self.weight * keep + known).astype(np.float32),
        )


def losses(resource: Resource, day: Array, limits: Array) -> Losses:
    """What limits [n, experts], set before a day, cost on it; `day` holds its quantiles, [n, 6].

    Slack is the part of the limit above P95, as Autopilot counts it. Memory over the limit kills: one overrun, however
    short. CPU over the limit is throttled: the share of time above it.
    """
    p95, peak = day[:, LEVELS.index(0.95), None], day[:, -1:]
    slack = np.clip(1 - p95 / limits, 0, 1)
    overrun = (peak > limits).astype(float) if resource == "memory" else share_above(day, limits)
    return Losses(slack, np.where(np.isnan(slack), np.nan, overrun))


def held(days: list[Losses]) -> Losses:
    """Mean loss of the decisions that were in force on one day (a decision held for a week meets seven days)."""
    slack = np.stack([day.slack for day in days])
    overrun = np.stack([day.overrun for day in days])
    known = ~np.isnan(slack)
    count = np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return Losses(np.nansum(slack, axis=0) / count, np.nansum(overrun, axis=0) / count)
