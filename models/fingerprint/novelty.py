"""When is nothing near? The line below which a workload is `unknown`, and whether what is seen drifts away.

The score is leaf similarity, the share of trees in which two windows fall into the same leaf, averaged over the nearest
five. At 5 % false unknowns it finds 0.41 of the unknown families on an unseen GPU; entropy of the class probabilities finds
0.25, distance between margins 0.29, and sums of several scores found no more than it alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.fingerprint.window import Floats

FALSE_UNKNOWN = 0.05
"""Share of known workloads that may be called unknown."""
RUNS = 3
"""Runs of one job that are averaged when a job recurs: noise of single runs falls, and recall rises by a third."""
_BINS = 10


@dataclass(frozen=True, slots=True)
class Novelty:
    """Similarities of held-out known workloads: `single` line for one run, `several` for the mean of three, and deciles."""

    single: float
    several: float
    deciles: tuple[float, ...]

    @classmethod
    def of(cls, similarity: Floats, jobs: NDArray[np.str_], groups: NDArray[np.str_]) -> Novelty:
        """similarity [n] of windows to what was known without them; a recurring job is one name in one group."""
        means = np.concatenate(
            [triples(similarity[(jobs == j) & (groups == g)]) for j, g in {*zip(jobs, groups, strict=True)}]
        )
        single = float(np.quantile(similarity, FALSE_UNKNOWN))
        several = float(np.quantile(means, FALSE_UNKNOWN)) if len(means) else single
        inner = np.quantile(similarity, np.linspace(0, 1, _BINS + 1)[1:-1])
        return cls(single, several, tuple(float(x) for x in inner))

    def unknown(self, similarities: Floats) -> bool:
        """Whether a job is unknown by the similarities of its runs, newest last; the newest three count."""
        newest = similarities[-RUNS:]
        return bool(newest.mean() < (self.several if len(newest) == RUNS else self.single))

    def drift(self, similarities: Floats) -> float:
        """Population stability index of recent windows [n] against those of training, over the half that is less alike than
        the median, and only where there are more of them: below 0.1 the same, above 0.25 the workloads have changed and it
        is time to train (Siddiqi's lines). Training measured on GPUs left out, so that runs on known GPUs are more alike,
        which is no drift. What equals a decile lies above it. Half a window per bin stands for none."""
        counts = np.bincount(np.searchsorted(self.deciles, similarities, side="right"), minlength=_BINS) + 0.5
        further = (counts / counts.sum())[: _BINS // 2]
        more = np.maximum(further, 1 / _BINS)
        return float(np.sum((more - 1 / _BINS) * np.log(more * _BINS)))


def triples(values: Floats) -> Floats:
    """Means of consecutive threes; what is left over is dropped."""
    full = len(values) // RUNS * RUNS
    return np.asarray(values[:full].reshape(-1, RUNS).mean(axis=1))
