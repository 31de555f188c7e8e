"""Demand of a job that has not run yet, from jobs like it: a guess with an interval that holds, wide when kin are few.

The guess is a weighted median over known jobs; a job's weight falls with every trait that differs and with the ratio of every
size. The interval is split conformal (Vovk; Lei et al. 2018): its width is what the guesses for held-out groups missed by.
Groups count alike and not runs, so that it holds for the next GPU or cluster and not only for the commonest. Jobs for
which somebody of the same sizes is known are calibrated apart from those for which nobody is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.fingerprint.window import Floats

COVERAGE = 0.9
_SAME = 0.02
"""Sizes closer than that are one size: drivers keep different rests of a board's memory."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is known before it runs. traits: image, command, family, owner, precision; sizes: positive numbers such as batch
    size, memory of the GPU, GPUs. What is unknown is left out."""

    traits: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KinSettings:
    """How much of its weight kin keeps when a trait differs, and the ratio of sizes at which it keeps 1/e, as logarithm."""

    other_trait: Mapping[str, float] = field(default_factory=lambda: {"precision": 0.4, "owner": 0.5, "gpu": 0.5})
    other_name: float = 0.1
    """Of every other trait: what runs matters most."""
    size_log_ratio: float = 1.5


@dataclass(frozen=True, slots=True)
class Expected:
    """In the unit of what was learned. kin: effective number of jobs that the guess rests on (Kish)."""

    guess: float
    low: float
    high: float
    kin: float


class ColdStart:
    """Learned from jobs and what they came to need. `of` learns; `expect` answers."""

    def __init__(self, jobs: Sequence[Job], logs: Floats, groups: NDArray[np.str_], chosen: KinSettings) -> None:
        self._chosen = chosen
        self._jobs, self._groups = _Table.of(jobs), groups
        self._order = np.argsort(logs, kind="stable")
        self._logs = logs
        self._missed = np.array([self._miss(k) for k in range(len(jobs))]).reshape(-1, 2)

    @classmethod
    def of(
        cls, jobs: Sequence[Job], needed: Floats, groups: Sequence[str], chosen: KinSettings | None = None
    ) -> ColdStart:
        """needed [n]: what each came to need, positive; groups [n]: what is held out together. Raises ValueError on n = 0
        and on what is not positive."""
        values = np.asarray(needed, dtype=np.float64)
        if not len(values) or not np.all(values > 0):
            raise ValueError("a cold start is learned from at least one job, and what jobs needed must be positive")
        return cls(jobs, np.log(values), np.asarray(groups), chosen or KinSettings())

    def expect(self, job: Job, most: float = np.inf) -> Expected:
        """most: what there is at most, such as the memory of the GPU."""
        asked = self._jobs.of_one(job)
        guess, kin = self._guess(asked, np.ones(len(self._logs), dtype=bool))
        width = self._width(bool(self._jobs.same_sizes(asked).any()))
        low, high = np.exp(guess - width), np.exp(guess + width)
        return Expected(min(float(np.exp(guess)), most), min(float(low), most), min(float(high), most), kin)

    def _guess(self, asked: _Row, allowed: NDArray[np.bool_]) -> tuple[float, float]:
        """Weighted median and effective number of kin."""
        order = self._order[allowed[self._order]]
        weights = self._jobs.weights(asked, self._chosen)[order]
        total = np.cumsum(weights)
        middle = order[np.searchsorted(total, total[-1] / 2)]
        return float(self._logs[middle]), float(total[-1] ** 2 / np.sum(weights**2))

    def _miss(self, k: int) -> tuple[float, float]:
        """What the guess for job k without its group misses by, and whether somebody of its sizes was left; NaN alone."""
        others = self._groups != self._groups[k]
        if not others.any():
            return np.nan, 0.0
        asked = self._jobs.row(k)
        guess, _ = self._guess(asked, others)
        return abs(float(self._logs[k]) - guess), float((self._jobs.same_sizes(asked) & others).any())

    def _width(self, known_sizes: bool) -> float:
        """Of the class of the job; never narrower where less is known. Infinite with fewer than nine held-out jobs: the
        conformal rank ceil(0.9 (n + 1)) is past the last."""
        known = self._quantile(self._missed[:, 1] == 1)
        other = self._quantile(self._missed[:, 1] == 0)
        return known if known_sizes else max(known, other)

    def _quantile(self, rows: NDArray[np.bool_]) -> float:
        rows = rows & np.isfinite(self._missed[:, 0])
        missed, n = self._missed[rows, 0], int(rows.sum())
        if np.ceil(COVERAGE * (n + 1)) > n:
            return np.inf
        _, at, counts = np.unique(self._groups[rows], return_inverse=True, return_counts=True)
        order = np.argsort(missed)
        total = np.cumsum(1 / counts[at][order])
        reached = np.searchsorted(total, COVERAGE * (n + 1) / n * total[-1] - 1e-12)
        return float(missed[order[min(reached, n - 1)]])


@dataclass(frozen=True, slots=True)
class _Row:
    traits: NDArray[np.intp]
    sizes: Floats


@dataclass(frozen=True, slots=True)
class _Table:
    """Jobs as columns: traits as codes [n, traits], -1 unknown; logarithms of sizes [n, sizes], NaN unknown."""

    trait_names: tuple[str, ...]
    size_names: tuple[str, ...]
    codes: Mapping[tuple[str, str], int]
    traits: NDArray[np.intp]
    sizes: Floats

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> _Table:
        trait_names = tuple(sorted({name for job in jobs for name in job.traits}))
        size_names = tuple(sorted({name for job in jobs for name in job.sizes}))
        pairs = sorted({item for job in jobs for item in job.traits.items()})
        bare = cls(
            trait_names,
            size_names,
            {pair: k for k, pair in enumerate(pairs)},
            np.empty((0, 0), np.intp),
            np.empty((0, 0)),
        )
        rows = [bare.of_one(job) for job in jobs]
        return cls(
            trait_names,
            size_names,
            bare.codes,
            np.array([row.traits for row in rows]),
            np.array([row.sizes for row in rows]),
        )

    def of_one(self, job: Job) -> _Row:
        """A value that nobody had is -2: it differs from all, and is not unknown."""
        codes = [
            self.codes.get((name, job.traits[name]), -2) if name in job.traits else -1 for name in self.trait_names
        ]
        sizes = [np.log(job.sizes[name]) if name in job.sizes else np.nan for name in self.size_names]
        return _Row(np.array(codes, dtype=np.intp), np.array(sizes, dtype=np.float64))

    def row(self, k: int) -> _Row:
        return _Row(self.traits[k], self.sizes[k])

    def weights(self, asked: _Row, chosen: KinSettings) -> Floats:
        """[n], above 0. What either side does not know counts as agreeing."""
        kept = np.array([chosen.other_trait.get(name, chosen.other_name) for name in self.trait_names])
        differ = (self.traits != asked.traits) & (self.traits != -1) & (asked.traits != -1)
        apart = np.abs(self.sizes - asked.sizes)
        by_size = np.exp(-np.nansum(apart, axis=1) / chosen.size_log_ratio)
        return np.asarray(np.prod(np.where(differ, kept, 1.0), axis=1) * by_size)

    def same_sizes(self, asked: _Row) -> NDArray[np.bool_]:
        """[n]: those of equal sizes, as far as both are known."""
        apart = np.abs(self.sizes - asked.sizes)
        return np.asarray(np.all(np.isnan(apart) | (apart <= _SAME), axis=1))
