"""What is kept of past days: six quantiles of each of the newest 30 days. 720 bytes a workload and resource."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.columns import Array

LEVELS: tuple[float, ...] = (0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
"""With these the share of a day above a limit is right enough: CPU slack at equal throttling differs by 0.1 % of itself
from that with all 288 samples; without 0.75 the gap is 0.5 %."""
PEAK = 1.0
REACH_DAYS = 30


@dataclass(frozen=True, slots=True)
class Days:
    """quantiles: [n, 30, 6], oldest day first, newest last; NaN for a day without enough samples."""

    quantiles: Array

    @classmethod
    def newest(cls, quantiles: Array) -> Days:
        """The newest 30 of [n, any number of days, 6]; missing days are filled with NaN on the old side."""
        lacking = max(0, REACH_DAYS - quantiles.shape[1])
        padded = np.pad(quantiles, ((0, 0), (lacking, 0), (0, 0)), constant_values=np.nan)
        return cls(padded[:, padded.shape[1] - REACH_DAYS :])

    def at(self, level: float, days: int = REACH_DAYS) -> Array:
        """One quantile of the newest `days`. [n, days]"""
        return np.asarray(self.quantiles[:, REACH_DAYS - days :, LEVELS.index(level)])

    def seen(self) -> Array:
        """Days with a summary. [n]"""
        return np.asarray(np.sum(~np.isnan(self.at(PEAK)), axis=1))

    def __len__(self) -> int:
        return len(self.quantiles)


Statistic = Callable[[Days], Array]


ABOVE_PEAK = 0.5 / 288
"""Share of a day at its own peak: half of one 5-minute sample."""
_LOG_SHARES = np.log([1.0, *(1 - level for level in LEVELS[:-1]), ABOVE_PEAK])


def share_above(day: Array, limits: Array) -> Array:
    """Share of a day's samples above each limit. [n, 6], [n, experts] to [n, experts]; 0 from the peak on.

    The logarithm of the share is linear between the kept quantiles: usage thins out upwards, so a straight line
    between P99 and the peak would count a tenth too much throttling.
    """
    knots = np.concatenate([np.zeros((len(day), 1)), day], axis=1)
    logs = np.full(limits.shape, np.nan)
    for k in range(len(LEVELS)):
        low, high = knots[:, k, None], knots[:, k + 1, None]
        inside = (limits >= low) & (limits < high)
        width = np.where(high > low, high - low, 1.0)
        step = _LOG_SHARES[k + 1] - _LOG_SHARES[k]
        logs = np.where(inside, _LOG_SHARES[k] + step * (limits - low) / width, logs)
    return np.asarray(np.where(limits >= knots[:, -1:], 0.0, np.exp(logs)))
