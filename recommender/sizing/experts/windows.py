"""Statistics over the newest days of each workload: [n, days] with NaN for days unseen, to [n]. No warnings, no loops."""

from __future__ import annotations

import numpy as np

from models.columns import Array


def highest(values: Array) -> Array:
    """NaN only where no day was seen."""
    return np.asarray(np.fmax.reduce(values, axis=1))


def kth_highest(values: Array, k: int) -> Array:
    """The k-th highest day, or the lowest seen where there are fewer than k. k counts from 1."""
    ordered = np.sort(np.where(np.isnan(values), np.inf, values), axis=1)
    seen = np.sum(~np.isnan(values), axis=1)
    place = np.maximum(seen - k, 0)
    picked = np.take_along_axis(ordered, place[:, None], 1)[:, 0]
    return np.asarray(np.where(seen > 0, picked, np.nan))


def median(values: Array) -> Array:
    """The middle day; the mean of the two middle ones for an even number."""
    ordered = np.sort(values, axis=1)
    seen = np.sum(~np.isnan(values), axis=1)
    middle = np.stack([np.maximum(seen - 1, 0) // 2, np.minimum(seen // 2, values.shape[1] - 1)], axis=1)
    return np.asarray(np.take_along_axis(ordered, middle, 1).mean(axis=1))


def mean_and_deviation(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation (of the population) of the days seen."""
    known = ~np.isnan(values)
    seen = known.sum(axis=1)
    with np.errstate(invalid="ignore"):
        mean = np.where(known, values, 0.0).sum(axis=1) / seen
        square = np.where(known, values - mean[:, None], 0.0) ** 2
        return np.asarray(mean), np.asarray(np.sqrt(square.sum(axis=1) / seen))


def decayed_mean(values: Array, half_life_days: float) -> Array:
    """Mean in which a day weighs half of the one `half_life_days` after it."""
    age = np.arange(values.shape[1])[::-1]
    weights = np.where(np.isnan(values), 0.0, np.exp2(-age / half_life_days))
    with np.errstate(invalid="ignore"):
        return np.asarray((np.nan_to_num(values) * weights).sum(axis=1) / weights.sum(axis=1))
