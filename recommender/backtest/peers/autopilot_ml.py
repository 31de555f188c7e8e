"""Autopilot's ML recommender (EuroSys'20, 3.2.2) at one tick an hour. Its weights were never published.

Cost of a limit L: w_o times the decayed count of samples above it, w_u times that below it, w_dL for a change. Each
model has its own decay and margin; the model with the least decayed cost decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.columns import Array
from recommender.backtest.replay import FLOOR
from recommender.backtest.usage import Past, Resource

EDGE_RATIO = 1.1
HIGHEST: dict[Resource, float] = {"cpu": 1000.0, "memory": 1e12}
HALF_LIVES_H = (6.0, 24.0, 96.0)
MARGINS = (1.0, 1.1, 1.2, 1.4)
COST_HALF_LIFE_H = 48.0
TICK_S = 3600


@dataclass(frozen=True, slots=True)
class Weights:
    overrun: float
    underrun: float
    change: float
    model_change: float = 0.0


@dataclass(slots=True)
class _State:
    """Decayed counts [n, decays, edges], limits before and after margin [n, models], costs and choice of models."""

    over: Array
    under: Array
    raw: Array
    cost: Array
    chosen: Array
    limit: Array
    ticks: int = 0


@dataclass(slots=True)
class AutopilotMl:
    """Its state grows with the past; it is fed hour by hour."""

    resource: Resource
    weights: Weights
    _state: _State | None = field(default=None)

    @property
    def name(self) -> str:
        w = self.weights
        return f"Autopilot ML wo/wu {w.overrun / w.underrun:g}, w∆L {w.change:g}"

    @property
    def edges(self) -> Array:
        count = int(np.log(HIGHEST[self.resource] / FLOOR[self.resource]) / np.log(EDGE_RATIO)) + 1
        return np.asarray(FLOOR[self.resource] * EDGE_RATIO ** np.arange(count))

    def decide(self, past: Past) -> Array:
        edges = self.edges
        if self._state is None:
            self._state = _empty(len(past), len(edges))
        per_hour = round(TICK_S / past.slot_s)
        fresh = past.samples()[:, self._state.ticks * per_hour :]
        for hour in range(fresh.shape[1] // per_hour):
            _tick(self._state, fresh[:, hour * per_hour : (hour + 1) * per_hour], edges, self.weights)
        return np.asarray(self._state.limit)


def _empty(n: int, edges: int) -> _State:
    decays, models = len(HALF_LIVES_H), len(HALF_LIVES_H) * len(MARGINS)
    zeros = np.zeros((n, decays, edges))
    return _State(
        zeros, zeros.copy(), np.full((n, decays), -1), np.zeros((n, models)), np.zeros(n, int), np.full(n, np.nan)
    )


def _tick(state: _State, samples: Array, edges: Array, weights: Weights) -> None:
    """One hour's samples [n, slots] into the counts; then every model's limit and cost, and the choice of a model."""
    over, under = _counts(samples, edges)
    decay = 0.5 ** (1 / np.array(HALF_LIVES_H))[:, None]
    state.over = decay * state.over + (1 - decay) * over[:, None]
    state.under = decay * state.under + (1 - decay) * under[:, None]
    place = np.arange(len(edges))
    change = weights.change * (place != state.raw[..., None])
    raw = np.argmin(weights.overrun * state.over + weights.underrun * state.under + change, axis=2)
    limits = (edges[raw][:, :, None] * np.array(MARGINS)).reshape(len(samples), -1)
    moved = np.repeat(raw != state.raw, len(MARGINS), axis=1)
    now = weights.overrun * _at(over, limits, edges) + weights.underrun * _at(under, limits, edges)
    keep = 0.5 ** (1 / COST_HALF_LIFE_H)
    state.cost = keep * state.cost + (1 - keep) * (now + weights.change * moved)
    state.raw = raw
    rows = np.arange(len(samples))
    switched = np.arange(limits.shape[1]) != state.chosen[:, None]
    switch = weights.model_change * switched + weights.change * (limits != state.limit[:, None])
    state.chosen = np.argmin(state.cost + switch, axis=1)
    state.limit = limits[rows, state.chosen]
    state.ticks += 1


def _counts(samples: Array, edges: Array) -> tuple[Array, Array]:
    """Samples above and below each edge, [n, edges]."""
    n, count = len(samples), len(edges)
    bucket = np.searchsorted(edges, np.nan_to_num(samples, nan=-1.0), side="left")
    cells = (np.arange(n)[:, None] * (count + 1) + bucket)[~np.isnan(samples)]
    filled = np.bincount(cells, minlength=n * (count + 1)).reshape(n, count + 1)
    below = np.cumsum(filled, axis=1)[:, :count]
    return filled.sum(axis=1, keepdims=True) - below, below


def _at(counts: Array, limits: Array, edges: Array) -> Array:
    """The count at the highest edge that does not exceed each limit. [n, models]"""
    place = np.clip(np.searchsorted(edges, limits, side="right") - 1, 0, len(edges) - 1)
    return np.asarray(np.take_along_axis(counts, place, 1))


def settings(resource: Resource) -> list[AutopilotMl]:
    """The settings that did best of 24: one for memory, two ends of the curve for CPU."""
    chosen = [Weights(500, 1, 2)] if resource == "memory" else [Weights(5, 1, 0), Weights(100, 1, 2)]
    return [AutopilotMl(resource, weights) for weights in chosen]
