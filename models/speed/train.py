"""Learn a speed table and its roofline form.

The table: extremely randomised trees over all (job, slice) pairs, read out on a grid, made monotone.

Trees because slice speed has cliffs; random split points because they extrapolate to an unseen family more smoothly
than a random forest. The grid's knots are the values that the jobs have, so nothing measured is smoothed away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from sklearn.ensemble import ExtraTreesRegressor

from models.speed.roofline import Roofline
from models.speed.signals import Floats
from models.speed.table import SpeedTable, monotone


class TooFewJobsError(ValueError):
    """Too little was measured to learn from. The message says how much there is and how much it needs."""


_RIDGE = 0.02
"""Pulls the roofline's six numbers to their start: 113 measured pairs leave some of them loose."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    trees: int = 300
    """A seed; more do not change the error (0.0399 against 0.0402 on 4g at 900)."""
    seeds: tuple[int, ...] = (0, 1, 2)
    max_features: float = 0.8
    """Four of five features a split: 1.0 is better on 4g (.038), 0.6 on 3g (.050); 0.8 is inside both targets."""
    max_knots: int = 32
    """Per signal; with more distinct values the knots are quantiles. 32^3 x 12 cells are 1.5 MB as float32."""
    min_jobs: int = 8
    """Distinct jobs; below it one neighbour decides everything."""


def train(demand: Floats, shares: Floats, speeds: Floats, settings: TrainSettings | None = None) -> SpeedTable:
    """demand [n, 3] (models.speed.signals.coordinates), shares [n, 2] (compute, memory), speeds [n] relative to the
    whole GPU; one row per measured job and slice. Raises TooFewJobsError."""
    chosen = settings or TrainSettings()
    jobs = len(np.unique(demand, axis=0))
    if jobs < chosen.min_jobs or len(np.unique(shares[:, 0])) < 2 or len(np.unique(shares[:, 1])) < 2:
        raise TooFewJobsError(
            f"{jobs} jobs on {len(np.unique(shares, axis=0))} slice sizes were measured; "
            f"it needs {chosen.min_jobs} jobs and sizes that differ in compute and in memory: measure more"
        )
    rows = np.column_stack([demand, shares])
    axes = tuple(_knots(rows[:, k], chosen.max_knots) for k in range(rows.shape[1]))
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    read = np.mean(
        [_forest(rows, speeds, seed, chosen).predict(grid.reshape(-1, len(axes))) for seed in chosen.seeds], 0
    )
    return SpeedTable(axes, monotone(np.clip(read.reshape(grid.shape[:-1]), 0.0, 1.0)))


def _forest(rows: Floats, speeds: Floats, seed: int, chosen: TrainSettings) -> ExtraTreesRegressor:
    forest = ExtraTreesRegressor(chosen.trees, max_features=chosen.max_features, random_state=seed)
    return forest.fit(rows, speeds)


def _knots(values: Floats, most: int) -> Floats:
    """Distinct values, or quantiles of them when there are too many; at least two."""
    distinct = np.unique(values)
    if len(distinct) > most:
        distinct = np.unique(np.quantile(values, np.linspace(0, 1, most)))
    return distinct if len(distinct) > 1 else np.array([distinct[0], distinct[0] + 1.0])


def fit_roofline(demand: Floats, shares: Floats, speeds: Floats) -> Roofline:
    """The roofline form by least squares over measured pairs: demand [n, 3], shares [n, 2], speeds [n]."""
    start = np.array([0.0, 0.0, -0.7, 0.0, 0.0, 0.0])

    def residuals(x: Floats) -> Floats:
        return np.concatenate([_of(x).predict(demand, shares) - speeds, _RIDGE * (x - start)])

    return _of(least_squares(residuals, start).x)


def _of(x: Floats) -> Roofline:
    a0, a1, a2, b0, b1, h = (float(value) for value in x)
    return Roofline((a0, a1, a2, b0, b1, h))
