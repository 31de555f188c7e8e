"""The days of a slab of profiles as the experts read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array, Columns
from models.histogram import from_log_code
from models.profile import DAY_LEVELS, PEAK_DAYS
from recommender.sizing.experts.days import LEVELS, PEAK, REACH_DAYS, Days

_CODED = [DAY_LEVELS.index(level) for level in LEVELS if level in DAY_LEVELS]
_P95, _PEAK = LEVELS.index(0.95), LEVELS.index(PEAK)
_PLACES = [place for place, level in enumerate(LEVELS) if level in DAY_LEVELS]


@dataclass(frozen=True, slots=True)
class History:
    """quantiles: [n, 2, 32, 6] at experts.days.LEVELS, by day number modulo 32; NaN where nothing was seen.
    newest_day: [n], the running day: it is no part of the history."""

    quantiles: Array
    newest_day: Array

    @classmethod
    def of(cls, profiles: Columns) -> History:
        """From rows of the profile table. Of a day whatever was seen counts: a job may run for ten minutes a day."""
        quantiles = np.empty((*profiles["daily_peak"].shape, len(LEVELS)))
        quantiles[..., _PLACES] = from_log_code(profiles["daily_quantile"][..., _CODED])
        quantiles[..., _P95] = profiles["daily_p95"]
        quantiles[..., _PEAK] = np.where(np.isnan(profiles["daily_p95"]), np.nan, profiles["daily_peak"])
        return cls(quantiles, profiles["newest_day"].astype(np.int64))

    def before(self, rows: Array, resource: int, day: int) -> Days:
        """The 30 days before a day, of these rows. Days that the profile no longer holds are NaN."""
        return Days(self._of_days(rows, resource, np.arange(day - REACH_DAYS, day)))

    def at(self, rows: Array, resource: int, day: int) -> Array:
        """One finished day, [rows, 6]."""
        return np.asarray(self._of_days(rows, resource, np.array([day]))[:, 0])

    def _of_days(self, rows: Array, resource: int, days: Array) -> Array:
        found = self.quantiles[rows[:, None], resource, (days % PEAK_DAYS)[None, :]]
        newest = self.newest_day[rows, None]
        held = (days < newest) & (days > newest - PEAK_DAYS)
        return np.where(held[..., None], found, np.nan)
