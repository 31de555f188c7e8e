"""Autopilot's moving-window recommender (EuroSys'20, 3.2.1), with its margin of 15 %.

Its further maximum over the last hour has no effect at one decision a day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.backtest.peers.simple import Formula, maximum
from recommender.backtest.usage import DAY_S, Past, Resource

HALF_LIFE_S: dict[Resource, float] = {"cpu": 12 * 3600, "memory": 48 * 3600}
MARGIN = 1.15
REACH_HALF_LIVES = 14
"""Samples older than this weigh 2 ** -14: together less than a hundredth of a percent."""


def moving_window(resource: Resource) -> list[Formula | LoadPercentile | DecayedMean]:
    if resource == "memory":
        return [
            maximum(7, MARGIN, "Autopilot Smax 7 d +15 %"),
            Formula("Autopilot Smax all +15 %", lambda past: past.peak() * MARGIN),
            LoadPercentile(0.98),
        ]
    return [LoadPercentile(0.95), LoadPercentile(0.90), DecayedMean()]


@dataclass(frozen=True, slots=True)
class LoadPercentile:
    """S_pj: the percentile of load, not of time: a sample weighs its value times 2 ** (-age / half-life)."""

    q: float

    @property
    def name(self) -> str:
        return f"Autopilot Sp{self.q * 100:g} +15 %"

    def decide(self, past: Past) -> Array:
        return load_percentile(*_recent(past), self.q) * MARGIN


@dataclass(frozen=True, slots=True)
class DecayedMean:
    """S_avg: the mean, a sample weighs 2 ** (-age / half-life)."""

    name: str = "Autopilot Savg +15 %"

    def decide(self, past: Past) -> Array:
        samples, weights = _recent(past)
        known = ~np.isnan(samples)
        total = np.sum(np.where(known, samples, 0.0) * weights, axis=1)
        return np.asarray(total / np.maximum(np.sum(known * weights, axis=1), 1e-300) * MARGIN)


def load_percentile(samples: Array, weights: Array, q: float) -> Array:
    """Smallest sample at which the load from below reaches q of all load. [n, slots] and [slots] to [n]."""
    order = np.argsort(samples, axis=1)
    ordered = np.take_along_axis(samples, order, 1)
    load = np.cumsum(np.nan_to_num(ordered) * weights[order], axis=1)
    at = np.argmax(load >= q * load[:, -1:], axis=1)
    return np.asarray(np.take_along_axis(ordered, at[:, None], 1)[:, 0])


def _recent(past: Past) -> tuple[Array, Array]:
    half_life_s = HALF_LIFE_S[past.resource]
    samples = past.samples(REACH_HALF_LIVES * half_life_s / DAY_S)
    age_s = np.arange(samples.shape[1])[::-1] * past.slot_s
    return samples, np.exp2(-age_s / half_life_s)
