"""What a decayed histogram says, for many workloads at once: the weights are summed up once and asked several times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from models.histogram import BUCKETS, starts

_STEPS = (128, 64, 32, 16, 8, 4, 2, 1)
"""Halving steps that find one of 176 buckets: 8 look-ups a row instead of 176 comparisons."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """cumulative: [n * BUCKETS] uint64, weight of its row up to and with each bucket; edges: [BUCKETS + 1] of buckets.

    Integers are summed up 5 times as fast as floats (1 cycle an addition instead of 3 or 4), and exactly.
    """

    cumulative: Array
    edges: Array

    @classmethod
    def of(cls, weights: Array, resource: int) -> Distribution:
        """From integer weights [n, BUCKETS]."""
        return cls(np.cumsum(weights, axis=1, dtype=np.uint64).ravel(), starts(resource))

    @property
    def total(self) -> Array:
        total: Array = self.cumulative[BUCKETS - 1 :: BUCKETS].astype(np.float64)
        return total

    def quantiles(self, levels: Array) -> Array:
        """The values at these levels (0-1), [n, k] for `levels` [n, k] or [1, k]; NaN where a row has no weight.

        VPA's bucket, the first at which the cumulative weight reaches the level, but linear inside it: VPA's upper edge
        is 2.5 % above the truth on average and jumps by 5 %.
        """
        total = self.total[:, None]
        wanted = levels * total
        bucket = self._reached(wanted)
        here, before = self._around(bucket)
        share = (wanted - before) / np.where(here > before, here - before, 1.0)
        low = self.edges[bucket]
        return np.where(total > 0, low + share * (self.edges[bucket + 1] - low), np.nan)

    def share_above(self, limits: Array) -> Array:
        """The share of the weight above a limit each, [n], linear inside its bucket; NaN for no weight or NaN limit."""
        total = self.total
        bucket = np.clip(np.searchsorted(self.edges, limits, side="right") - 1, 0, BUCKETS - 1)
        here, before = self._around(bucket[:, None])
        low, high = self.edges[bucket], self.edges[bucket + 1]
        inside = np.clip((high - limits) / (high - low), 0.0, 1.0)
        above = total - here[:, 0] + inside * (here - before)[:, 0]
        return np.where(total > 0, above / np.where(total > 0, total, 1.0), np.nan)

    def _reached(self, wanted: Array) -> Array:
        """The first bucket whose cumulative weight is at least as wanted, [n, k]."""
        row = _first_of_rows(len(wanted))
        bucket = np.zeros(wanted.shape, dtype=np.intp)
        for step in _STEPS:
            probe = np.minimum(bucket + (step - 1), BUCKETS - 1)
            bucket += step * (self.cumulative[row + probe] < wanted)
        return np.minimum(bucket, BUCKETS - 1)

    def _around(self, bucket: Array) -> tuple[Array, Array]:
        """Cumulative weight with and without each bucket, [n, k]."""
        place = _first_of_rows(len(bucket)) + bucket
        here = self.cumulative[place].astype(np.float64)
        before = self.cumulative[np.maximum(place - 1, 0)].astype(np.float64)
        return here, np.where(bucket > 0, before, 0.0)


def _first_of_rows(n: int) -> Array:
    """Where each row begins in `cumulative`, [n, 1]."""
    first: Array = (np.arange(n) * BUCKETS)[:, None]
    return first
