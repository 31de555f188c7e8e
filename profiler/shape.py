"""The week's shape: mean and peak of each hour of the week, from finished hours."""

from __future__ import annotations

import numpy as np

from models.histogram import from_log_code, to_log_code
from models.profile import HOURS_PER_WEEK, RESOURCES
from profiler.histogram import Floats, Integers
from profiler.profiles import Indices, Profiles

MONDAY = 72
"""1970-01-01 was a Thursday, so hour 0 of the epoch is hour 72 of a week that begins on Monday."""
_MEAN_MEMORY = 0.5
"""What is kept of the mean when the hour comes again: a half-life of one week."""
_PEAK_MEMORY = 0.75
"""A peak that is not reached again falls by a quarter of the distance a week: after a month 68 % of it is gone."""


def add(profiles: Profiles, slot: Indices, resource: int, value_seconds: Floats, seconds: Floats) -> None:
    """Sums [k] of pieces into the running hour."""
    cell = slot * len(RESOURCES) + resource
    np.add.at(profiles["hour_sum"].reshape(-1), cell, value_seconds)
    np.add.at(profiles["hour_seconds"].reshape(-1), cell, seconds)


def hour_means(profiles: Profiles, slots: Indices) -> Floats:
    """Means of the running hour, [k, R]; NaN where it has no value."""
    seconds = profiles["hour_seconds"][slots]
    return np.where(seconds > 0, profiles["hour_sum"][slots] / np.where(seconds > 0, seconds, 1), np.nan)


def end_hours(profiles: Profiles, slots: Indices, hour: Integers) -> None:
    """Fold the running hour (its UTC number given, distinct slots) into the week and empty it."""
    column = (hour + MONDAY) % HOURS_PER_WEEK
    mean, peak = hour_means(profiles, slots), profiles["hour_max"][slots]
    old_mean, old_peak = (from_log_code(profiles[name][slots, :, column]) for name in ("hour_mean", "hour_peak"))
    fresh = np.isnan(old_mean)
    blended = np.where(fresh, mean, _MEAN_MEMORY * old_mean + (1 - _MEAN_MEMORY) * mean)
    falling = np.fmax(peak, _PEAK_MEMORY * old_peak + (1 - _PEAK_MEMORY) * peak)
    profiles["hour_mean"][slots, :, column] = to_log_code(np.where(np.isnan(mean), old_mean, blended))
    profiles["hour_peak"][slots, :, column] = to_log_code(np.where(np.isnan(peak), old_peak, falling))
    profiles["hour_sum"][slots] = 0
    profiles["hour_seconds"][slots] = 0
    profiles["hour_max"][slots] = np.nan
