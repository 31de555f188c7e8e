"""How wide an interval must be: split conformal (Vovk; Lei et al. 2018) over workloads that are answered without themselves.

The score is what the miss exceeds the base by, in spreads that were stated for it: where kin are few the interval is wide
from the start, and one factor makes it hold. A workload of the sample is left out of its own kin and serves in those of all
others, which differs from a sample that is set apart by one workload in n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COVERAGE = 0.9
SAMPLE = 256
"""Workloads that are answered without themselves, at about 1 ms each. Coverage of 256 scatters by 0.02."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """[Q] each: spreads that an interval reaches beyond its base either way, where somebody of the job's GPU model is known
    (or it has none), and where nobody is. by_share: device memory of the workloads here goes with the board, so that its
    share is what is guessed."""

    factor: Floats
    new_board: Floats
    by_share: bool

    @classmethod
    def unknown(cls, columns: int) -> Calibration:
        """Before it was measured: no interval has an end."""
        return cls(np.full(columns, np.inf), np.full(columns, np.inf), False)


def factors(misses: Floats, spreads: Floats, bases: Floats) -> Floats:
    """[Q]: how many spreads an interval reaches beyond its base either way; misses, spreads and bases are [m, Q], misses NaN
    where not known."""
    scores = np.maximum(np.abs(misses) - bases, 0) / spreads
    return np.array([conformal(column[~np.isnan(column)]) for column in scores.T])


def conformal(scores: Floats) -> float:
    """The score that the next one stays within in 90 %. Infinite with fewer than nine: the rank ceil(0.9 (n + 1)) is past the
    last."""
    rank = int(np.ceil(COVERAGE * (len(scores) + 1)))
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank <= len(scores) else np.inf


def sample(n: int, most: int = SAMPLE) -> NDArray[np.intp]:
    """Evenly spaced places out of n, at most so many, the same for the same n."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.intp)) if n else np.empty(0, np.intp)


def sample_of_each(groups: NDArray[np.integer]) -> NDArray[np.intp]:
    """Places out of groups [n], as many of each group: what holds on average over groups holds for the next one."""
    parts = [np.flatnonzero(groups == kind) for kind in np.unique(groups)]
    each = max(1, SAMPLE // max(len(parts), 1))
    return np.concatenate([np.empty(0, np.intp), *(part[sample(len(part), each)] for part in parts)])
