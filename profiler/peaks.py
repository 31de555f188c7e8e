"""Windowed peaks: of the running 24 h window, of each UTC day, and the quantiles of each finished day.

A day's quantiles come from its counts in the exponential buckets, linear inside a bucket and cut at the day's peak:
within 5 % of the exact value, and exact for a constant series. P2 and similar markers need 5 numbers instead of 176,
but cannot be merged over instances and depend on the order of samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.histogram import quantiles, to_log_code
from models.profile import DAY_LEVELS, MEMORY, PEAK_DAYS, RESOURCES
from profiler import histogram
from profiler.decay import DAY_MS, HOUR_MS
from profiler.profiles import Indices, Profiles

Float32s = NDArray[np.float32]
Integers = NDArray[np.int64]

_R = len(RESOURCES)


def at_least(values: NDArray[np.float64]) -> Float32s:
    """The smallest float32 that is not below each value: a peak must not be rounded down."""
    rounded = values.astype(np.float32)
    return np.where(rounded < values, np.nextafter(rounded, np.float32(np.inf)), rounded)


def add(profiles: Profiles, slot: Indices, day: Integers, resource: int, peak: Float32s) -> None:
    """Peaks [k] of pieces, NaN where a piece has no value, into window, day and hour."""
    column = (slot * _R + resource) * PEAK_DAYS + day % PEAK_DAYS
    np.fmax.at(profiles["daily_peak"].reshape(-1), column, peak)
    np.fmax.at(profiles["hour_max"].reshape(-1), slot * _R + resource, peak)
    window = profiles["window_peak"]
    if resource != MEMORY:
        np.fmax.at(window.reshape(-1), slot * _R + resource, peak)
        return
    slots = np.unique(slot)
    before = window[slots, MEMORY]
    np.fmax.at(window.reshape(-1), slot * _R + MEMORY, peak)
    after = window[slots, MEMORY]
    moved = ~((after == before) | np.isnan(after))
    histogram.replace_peak(profiles, slots[moved], before[moved], after[moved])


def end_windows(profiles: Profiles, slots: Indices, hour: Integers) -> None:
    """Begin a new window where the hour lies past the end of the running one; distinct slots."""
    end = profiles["window_end_ms"][slots]
    over = hour * HOUR_MS >= end
    slots, end, now = slots[over], end[over], hour[over] * HOUR_MS
    windows = (now - end) // DAY_MS + 1
    histogram.shift(profiles, slots, MEMORY, windows)
    profiles["window_end_ms"][slots] += windows * DAY_MS
    profiles["window_peak"][slots] = np.nan


def end_days(profiles: Profiles, slots: Indices, day: Integers) -> None:
    """Write the quantiles of the day that ends and empty the columns up to the day that begins; distinct slots."""
    ended = profiles["newest_day"][slots].astype(np.int64)
    for resource in range(_R):
        _write_quantiles(profiles, slots, ended % PEAK_DAYS, resource)
    profiles["day_histogram"][slots] = 0
    for ahead in range(1, PEAK_DAYS + 1):
        passed = day - ended >= ahead
        if not passed.any():
            break
        column = (ended[passed] + ahead) % PEAK_DAYS
        profiles["daily_peak"][slots[passed], :, column] = np.nan
        profiles["daily_p95"][slots[passed], :, column] = np.nan
        profiles["daily_quantile"][slots[passed], :, column] = 0


def _write_quantiles(profiles: Profiles, slots: Indices, column: Integers, resource: int) -> None:
    peak = profiles["daily_peak"][slots, resource, column]
    levels = quantiles(profiles["day_histogram"][slots, resource], (0.95, *DAY_LEVELS), resource, peak)
    profiles["daily_p95"][slots, resource, column] = levels[:, 0]
    profiles["daily_quantile"][slots, resource, column] = to_log_code(levels[:, 1:])
