"""Durations in one byte: twelve steps per doubling, 6 % apart, from one second to 24 days."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_STEPS = 12
_MOST = 255


def to_duration8(seconds: ArrayLike) -> NDArray[np.uint8]:
    """1 + round(12 log2 s), from 1 to 255; shorter ones count as a second, longer ones as 24 days."""
    steps = np.rint(np.log2(np.maximum(np.asarray(seconds, dtype=np.float64), 1.0)) * _STEPS) + 1
    codes: NDArray[np.uint8] = np.minimum(steps, _MOST).astype(np.uint8)
    return codes


def from_duration8(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Seconds of codes; 0, which stands for none, becomes NaN."""
    return np.where(codes == 0, np.nan, np.exp2((codes.astype(np.float64) - 1) / _STEPS))
