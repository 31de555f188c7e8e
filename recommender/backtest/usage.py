"""What a fleet used, and the part of it that a policy may see when it decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from models.columns import Array

Resource = Literal["cpu", "memory"]
DAY_S = 86_400

BlockReduction = Callable[[Array], Array]
"""[n, blocks, slots] to [n, blocks, ...]: each block is reduced on its own, so a block says nothing of the next."""


def daily_peak(samples: Array) -> Array:
    """Highest sample of each block, NaN where it has none. [n, blocks, slots] to [n, blocks]."""
    peak = np.fmax.reduce(samples, axis=-1)
    return np.asarray(peak)


def daily_p95(samples: Array) -> Array:
    """95th percentile of each block, linear between samples as numpy and Autopilot's evaluation take it."""
    return quantile(samples, 0.95)


def quantile(samples: Array, q: float) -> Array:
    """Linear quantile over the last axis without its gaps; NaN where there is no sample."""
    return np.asarray(quantiles(samples, (q,))[..., 0])


def quantiles(samples: Array, levels: Sequence[float]) -> Array:
    """Linear quantiles over the last axis without its gaps, [..., levels]; one sort for all of them.

    np.nanquantile loops over rows in Python when it meets a NaN: 60 times slower on this shape.
    """
    ordered = np.sort(samples, axis=-1)
    last = np.maximum(np.sum(~np.isnan(samples), axis=-1, keepdims=True) - 1, 0)
    place = np.array(levels) * last
    low = np.floor(place).astype(np.int64)
    below = np.take_along_axis(ordered, low, -1)
    above = np.take_along_axis(ordered, np.minimum(low + 1, last), -1)
    return np.asarray(below + (above - below) * (place - low))


@dataclass(frozen=True, slots=True)
class Usage:
    """One resource of n workloads, cut into blocks of equal length (a day or an hour).

    samples:     [n, blocks, slots], cores or bytes; NaN is a gap
    provisioned: [n, blocks], the largest size given in that block; NaN when unknown
    start_s:     seconds since 1970 at which block 0 begins
    whole_days:  the same in blocks of a day, when these are shorter
    """

    resource: Resource
    workloads: Sequence[str]
    samples: Array
    provisioned: Array
    start_s: int
    block_s: int = DAY_S
    whole_days: Usage | None = None
    _cache: dict[BlockReduction, Array] = field(default_factory=dict)

    @property
    def blocks(self) -> int:
        return int(self.samples.shape[1])

    @property
    def slot_s(self) -> float:
        return float(self.block_s / self.samples.shape[2])

    def per_block(self, reduction: BlockReduction) -> Array:
        """The reduction of every block, computed once. [n, blocks, ...]"""
        if reduction not in self._cache:
            self._cache[reduction] = reduction(self.samples)
        return self._cache[reduction]

    def in_blocks_of(self, block_s: int) -> Usage:
        """The same samples in shorter blocks. `block_s` must divide the present length."""
        parts = self.block_s // block_s
        n, blocks, slots = self.samples.shape
        return Usage(
            self.resource,
            self.workloads,
            self.samples.reshape(n, blocks * parts, slots // parts),
            np.repeat(self.provisioned, parts, axis=1),
            self.start_s,
            block_s,
            whole_days=self,
        )

    def take(self, rows: Array) -> Usage:
        """Only these workloads."""
        names = [self.workloads[i] for i in rows]
        return replace(self, workloads=names, samples=self.samples[rows], provisioned=self.provisioned[rows], _cache={})

    def scaled_from(self, block: int, factors: Array) -> Usage:
        """The same past, another future: samples from `block` on times `factors` [n, blocks - block, slots]."""
        samples = self.samples.copy()
        samples[:, block:] *= factors
        return replace(self, samples=samples, _cache={})


@dataclass(frozen=True, slots=True)
class Past:
    """What is known before block `now` begins: the only thing that a policy is given."""

    usage: Usage
    now: int

    def __post_init__(self) -> None:
        if not 0 < self.now <= self.usage.blocks:
            raise ValueError(f"now is {self.now}; it must lie in 1..{self.usage.blocks}, the blocks of this usage")

    @property
    def resource(self) -> Resource:
        return self.usage.resource

    @property
    def per_day(self) -> int:
        """Blocks in a day."""
        return DAY_S // self.usage.block_s

    @property
    def slot_s(self) -> float:
        return self.usage.slot_s

    @property
    def start_s(self) -> int:
        return self.usage.start_s

    @property
    def now_s(self) -> int:
        return self.usage.start_s + self.now * self.usage.block_s

    def __len__(self) -> int:
        return len(self.usage.workloads)

    def finished_days(self) -> Past:
        """The same past in blocks of a day, without the day that is still running."""
        days = self.usage.whole_days or self.usage
        return Past(days, self.now // self.per_day)

    def samples(self, days: float | None = None) -> Array:
        """The newest `days` of samples (None: all), [n, slots]."""
        first = 0 if days is None else max(0, self.now - round(days * self.per_day))
        window = self.usage.samples[:, first : self.now]
        return window.reshape(window.shape[0], -1)

    def per_block(self, reduction: BlockReduction) -> Array:
        """The reduction of every finished block, oldest first. [n, now, ...]"""
        return self.usage.per_block(reduction)[:, : self.now]

    def peaks(self, days: float | None = None) -> Array:
        """Highest sample of each block of the newest `days`. [n, blocks]"""
        peaks = self.per_block(daily_peak)
        return peaks if days is None else peaks[:, max(0, self.now - round(days * self.per_day)) :]

    def peak(self, days: float | None = None) -> Array:
        """Highest sample of the newest `days`. [n]"""
        return np.asarray(np.fmax.reduce(self.peaks(days), axis=1))

    def provisioned_peak(self) -> Array:
        """Largest size given so far; NaN when none is known. [n]"""
        return np.asarray(np.fmax.reduce(self.usage.provisioned[:, : self.now], axis=1))

    def provisioned(self) -> Array:
        """The size given in the newest block. [n]"""
        return np.asarray(self.usage.provisioned[:, self.now - 1])
