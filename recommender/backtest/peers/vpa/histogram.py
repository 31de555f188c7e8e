"""VPA's decaying histogram, one row per container (pkg/recommender/util/{histogram,decaying_histogram}.go)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.columns import Array

RATIO = 1.05
EPSILON = 0.001 * 0.1
"""Weights under this are nothing: a thousandth of the smallest sample weight."""
HALF_LIFE_S = 86_400
MAX_EXPONENT = 100


@dataclass(frozen=True, slots=True)
class Buckets:
    """Exponential buckets: bucket 0 is [0, first), each next one is 5 % wider."""

    first: float
    highest: float

    @property
    def count(self) -> int:
        return math.ceil(math.log(self.highest * (RATIO - 1) / self.first + 1) / math.log(RATIO)) + 1

    def starts(self) -> Array:
        """Lower edge of every bucket."""
        return np.array([self.first * (power(RATIO, b) - 1) / (RATIO - 1) for b in range(self.count)])

    def find(self, values: Array) -> Array:
        """Bucket of each value. [..] int"""
        # one logarithm for both: with two that differ in the last bit, 0.01 core falls into bucket 0
        inside = np.log(np.maximum(values, self.first) * (RATIO - 1) / self.first + 1) / np.log(RATIO)
        return np.where(values < self.first, 0, np.minimum(inside.astype(np.int64), self.count - 1))


CPU_BUCKETS = Buckets(0.01, 1000.0)
MEMORY_BUCKETS = Buckets(1e7, 1e12)


def power(base: float, exponent: int) -> float:
    """base ** exponent as Go's math.Pow rounds it (repeated squaring of the mantissa).

    With the C library's pow the edge of memory bucket 4 is 43,101,250 and not 43,101,249.
    """
    mantissa, mantissa_exponent = math.frexp(base)
    result, result_exponent = 1.0, 0
    while exponent:
        if exponent & 1:
            result *= mantissa
            result_exponent += mantissa_exponent
        mantissa *= mantissa
        mantissa_exponent *= 2
        if mantissa < 0.5:
            mantissa += mantissa
            mantissa_exponent -= 1
        exponent >>= 1
    return math.ldexp(result, result_exponent)


class DecayingHistograms:
    """Histograms of n containers. A sample weighs 2 ** ((time - reference) / half-life) times its weight, so nothing
    decays by waiting: only the ratio of a sample to a newer one does."""

    def __init__(self, buckets: Buckets, n: int) -> None:
        self.buckets = buckets
        self._starts = buckets.starts()
        self._weights = np.zeros((n, buckets.count))
        self._reference_s = np.full(n, np.nan)

    def add(self, rows: Array, values: Array, times_s: Array, weight: float) -> None:
        """Add one sample per entry of `rows` (a row may repeat). A negative weight takes one away."""
        if not rows.size:
            return
        self._move_reference(rows, times_s)
        grown = weight * np.exp2((times_s - self._reference_s[rows]) / HALF_LIFE_S)
        cells = rows * self.buckets.count + self.buckets.find(values)
        total = np.bincount(cells, grown, self._weights.size).reshape(self._weights.shape)
        self._weights = np.maximum(self._weights + total, 0.0)

    def _move_reference(self, rows: Array, times_s: Array) -> None:
        """The first sample sets the reference to the nearest midnight; one 100 half-lives ahead moves it."""
        newest = np.full(len(self._reference_s), -np.inf)
        np.maximum.at(newest, rows, times_s)
        first = np.full(len(self._reference_s), np.inf)
        first[rows[::-1]] = times_s[::-1]
        unset = np.isnan(self._reference_s) & np.isfinite(first)
        self._reference_s[unset] = _nearest_midnight(first[unset])
        far = newest > self._reference_s + MAX_EXPONENT * HALF_LIFE_S
        if far.any():
            moved = _nearest_midnight(newest[far])
            shift = np.round((self._reference_s[far] - moved) / HALF_LIFE_S)
            self._weights[far] *= np.exp2(shift)[:, None]
            self._reference_s[far] = moved

    def percentile(self, q: float) -> Array:
        """Upper edge of the bucket at which the weight from below reaches q of the total; 0 when empty. [n]"""
        weights = np.where(self._between_ends(), self._weights, 0.0)
        total = self._weights.sum(axis=1)
        reached = np.cumsum(weights, axis=1) >= (q * total)[:, None]
        bucket = np.where(reached.any(axis=1), reached.argmax(axis=1), self._last())
        edge = self._starts[np.minimum(bucket + 1, self.buckets.count - 1)]
        return np.asarray(np.where(total < EPSILON, 0.0, edge))

    def _between_ends(self) -> Array:
        """Buckets from the first to the last that hold more than nothing."""
        heavy = self._weights >= EPSILON
        from_first = np.logical_or.accumulate(heavy, axis=1)
        to_last = np.logical_or.accumulate(heavy[:, ::-1], axis=1)[:, ::-1]
        return from_first & to_last

    def _last(self) -> Array:
        heavy = self._weights >= EPSILON
        return np.asarray(self.buckets.count - 1 - heavy[:, ::-1].argmax(axis=1))


def _nearest_midnight(times_s: Array) -> Array:
    return np.asarray(np.floor(times_s / HALF_LIFE_S + 0.5) * HALF_LIFE_S)
