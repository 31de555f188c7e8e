"""Peaks in two bytes: the upper half of a float32, rounded up. Steps of at most 1/128; codes sort as their values do, so
that a maximum of codes is the code of the maximum, and integers give the same bits on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def to_peak16(values: NDArray[np.float64]) -> NDArray[np.uint16]:
    """The lowest code that is not below each value, [n]. Values must be 0 to 3e38; NaN becomes 0."""
    rounded = np.nan_to_num(values).astype(np.float32)
    rounded = np.where(rounded < values, np.nextafter(rounded, np.float32(np.inf)), rounded)
    bits = np.ascontiguousarray(rounded).view(np.uint32)
    return ((bits + np.uint32(0xFFFF)) >> np.uint32(16)).astype(np.uint16)


def from_peak16(codes: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Values of codes; 0 stays 0."""
    return (codes.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
