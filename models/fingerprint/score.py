"""How well answers agree with the truth, and whether a new model may take the place of the one in use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Score:
    """accuracy: share of right answers; macro_f1: mean over the true classes of 2PR / (P + R)."""

    accuracy: float
    macro_f1: float

    @classmethod
    def of(cls, truth: NDArray[np.str_], answers: NDArray[np.str_]) -> Score:
        """Both [n]; n at least 1."""
        f1 = []
        for name in np.unique(truth):
            hits = np.sum((truth == name) & (answers == name))
            f1.append(2 * hits / (np.sum(truth == name) + np.sum(answers == name)))
        return cls(float(np.mean(truth == answers)), float(np.mean(f1)))


MIN_NEW = 20
"""Windows below which two scores say nothing about each other: one standard error is 0.07 at an accuracy of 0.9."""


def may_replace(candidate: Score, current: Score, windows: int) -> bool:
    """Whether a candidate is not worse than what is in use, both scored on the same windows, which neither has learned.

    It may be worse by less than one standard error of the accuracy: two equal models differ by that much by chance. Fewer
    than 20 windows prove nothing: what is in use stays.
    """
    if windows < MIN_NEW:
        return False
    noise = float(np.sqrt(current.accuracy * (1 - current.accuracy) / windows))
    return candidate.accuracy >= current.accuracy - noise and candidate.macro_f1 >= current.macro_f1 - noise
