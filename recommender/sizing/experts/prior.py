"""What is expected of an expert on a workload with a short record: its mean loss on workloads of the same class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.sizing.experts import windows
from recommender.sizing.experts.days import PEAK, Days
from recommender.sizing.experts.ledger import Losses

SHRINK_DAYS = 50.0
"""A class with fewer workload-days than this is mostly judged by the whole fleet. 5 to 200 make no difference."""
BINS = (5, 3, 2)
"""Of fill, spread and volatility: 30 classes."""
CLASSES = int(np.prod(BINS))
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Traits:
    """What a workload is classed by, [n] each, natural logarithms; NaN before its first day.

    level:      highest peak of 7 days, cores or bytes
    fill:       that peak over the largest size it was ever given; NaN when no size is known
    spread:     median of the daily medians of 7 days, over that peak: idle with spikes, or flat
    volatility: deviation of the daily peaks of 14 days
    """

    level: Array
    fill: Array
    spread: Array
    volatility: Array

    @classmethod
    def of(cls, days: Days, cap: Array) -> Traits:
        peaks = np.log(np.maximum(days.at(PEAK, 14), _TINY))
        level = windows.highest(peaks[:, -7:])
        usual = windows.median(np.log(np.maximum(days.at(0.5, 7), _TINY)))
        return cls(level, level - np.log(cap), usual - level, windows.mean_and_deviation(peaks)[1])

    def take(self, rows: Array) -> Traits:
        return Traits(self.level[rows], self.fill[rows], self.spread[rows], self.volatility[rows])


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where classes end: inner quantiles of each trait over a fleet."""

    fill: Array
    spread: Array
    volatility: Array

    @classmethod
    def of(cls, traits: Traits) -> Cuts:
        return cls(*(_inner(trait, bins) for trait, bins in zip(_columns(traits), BINS, strict=True)))

    def classes(self, traits: Traits) -> Array:
        """0 to 29, [n]. A trait that is not known counts as the fleet's middle."""
        code = np.zeros(len(traits.level), dtype=np.int64)
        for trait, cut, bins in zip(_columns(traits), (self.fill, self.spread, self.volatility), BINS, strict=True):
            place = np.searchsorted(cut, np.nan_to_num(trait))
            code = code * bins + np.where(np.isnan(trait), bins // 2, place)
        return code


def _columns(traits: Traits) -> tuple[Array, Array, Array]:
    return traits.fill, traits.spread, traits.volatility


def _inner(trait: Array, bins: int) -> Array:
    known = trait[~np.isnan(trait)]
    return np.quantile(known, np.arange(1, bins) / bins) if known.size else np.zeros(bins - 1)


@dataclass(frozen=True, slots=True)
class Prior:
    """Sums over workload-days: slack and overrun [30, experts], count [30]. Sums of two fleets may be added."""

    slack: Array
    overrun: Array
    count: Array

    @classmethod
    def empty(cls, experts: int) -> Prior:
        return cls(np.zeros((CLASSES, experts)), np.zeros((CLASSES, experts)), np.zeros(CLASSES))

    def after(self, classes: Array, day: Losses) -> Prior:
        """With one more day of these workloads, `classes` [n] as of the morning of that day."""
        known = day.known()
        member = (classes[:, None] == np.arange(CLASSES)) & known[:, None]
        # einsum, not @: BLAS would start a thread per core for a product this small
        slack, overrun = (
            np.einsum("nc,ne->ce", member.astype(float), np.where(known[:, None], x, 0.0))
            for x in (day.slack, day.overrun)
        )
        return Prior(self.slack + slack, self.overrun + overrun, self.count + member.sum(axis=0))

    def __add__(self, other: Prior) -> Prior:
        return Prior(self.slack + other.slack, self.overrun + other.overrun, self.count + other.count)

    def means(self) -> tuple[Array, Array]:
        """Expected slack and overrun of each expert in each class, [30, experts]; drawn to the fleet's mean."""
        days = max(float(self.count.sum()), 1.0)
        behind = (self.count + SHRINK_DAYS)[:, None]
        slack, overrun = (
            np.asarray((total + SHRINK_DAYS * total.sum(axis=0) / days) / behind)
            for total in (self.slack, self.overrun)
        )
        return slack, overrun
