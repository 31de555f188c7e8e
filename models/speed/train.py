"""Learn a speed table and its roofline form.

The table: extremely randomised trees over all (job, slice) pairs, read out on a grid, made monotone.

Trees because slice speed has cliffs; random split points because they extrapolate to an unseen family more smoothly
than a random forest. The grid's knots are the values that the jobs have, so nothing measured is smoothed away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares
from sklearn.ensemble import ExtraTreesRegressor

from models.speed.artifact import SpeedCard, SpeedModel
from models.speed.roofline import Roofline
from models.speed.signals import Floats, WholeGpuSignals, coordinates
from models.speed.table import DEMAND_AXES, SpeedTable, monotone


class TooFewJobsError(ValueError):
    """Too little was measured to learn from. The message says how much there is and how much it needs."""


START = Roofline((0.0, 0.0, -0.7, 0.0, 0.0, 0.0))
"""Demand in proportion to power and to memory utilisation, and to the root of GPU utilisation."""
_RIDGE = 0.02
"""Pulls the roofline's six numbers to the prior: 113 measured pairs leave some of them loose, five pairs most."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    trees: int = 300
    """Per seed. Single seeds differ by 0.0015 in their error on 4g; three together stay within 0.0005."""
    seeds: tuple[int, ...] = (0, 1, 2)
    max_features: float = 0.8
    """Four of five features a split: 1.0 is better on 4g (.038), 0.6 on 3g (.050); 0.8 is inside both targets."""
    max_knots: int = 32
    """Per signal; with more distinct values the knots are quantiles. 32^3 x 12 cells are 1.5 MB as float32."""
    min_jobs: int = 8
    """Distinct jobs; below it one neighbour decides everything."""


def learn(
    demand: Floats,
    shares: Floats,
    speeds: Floats,
    card: SpeedCard,
    settings: TrainSettings | None = None,
    prior: Roofline = START,
) -> SpeedModel:
    """Trees where enough jobs were measured, else the roofline form alone, pulled to `prior`; the card says which.

    demand [n, 3] (models.speed.signals.coordinates), shares [n, 2] (compute, memory), speeds [n] relative to the whole
    GPU; one row per measured job and slice.
    """
    roofline = fit_roofline(demand, shares, speeds, prior)
    counted = replace(card, jobs=len(np.unique(demand, axis=0)), pairs=len(speeds))
    try:
        table, form = train(demand, shares, speeds, settings), "trees"
    except TooFewJobsError:
        table, form = tabulate(roofline), "roofline"
    return SpeedModel(table, roofline, replace(counted, form=form))


def train(demand: Floats, shares: Floats, speeds: Floats, settings: TrainSettings | None = None) -> SpeedTable:
    """The table by trees; arguments as for `learn`. Raises TooFewJobsError."""
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


def fit_roofline(demand: Floats, shares: Floats, speeds: Floats, prior: Roofline = START) -> Roofline:
    """The roofline form by least squares over measured pairs: demand [n, 3], shares [n, 2], speeds [n]."""
    start = np.array(prior.parameters)

    def residuals(x: Floats) -> Floats:
        return np.concatenate([_of(x).predict(demand, shares) - speeds, _RIDGE * (x - start)])

    return _of(least_squares(residuals, start).x)


def tabulate(roofline: Roofline, knots: int = 16) -> SpeedTable:
    """The form as a table over all that signals can be: served like a learned one, and made monotone with it. The form
    alone is not: a job bound by bandwidth is predicted less slow on a slice when it asks for more compute."""
    low, high = coordinates(WholeGpuSignals(0.0, 1.0, 0.0, 0.0)), coordinates(WholeGpuSignals(1.0, 1.0, 1.0, 1.0))
    axes = (*np.linspace(low, high, knots).T, np.arange(1, 8) / 7, np.array([1, 2, 3, 4, 6, 8]) / 8)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    points = grid.reshape(-1, len(axes))
    speeds = roofline.predict(points[:, :DEMAND_AXES], points[:, DEMAND_AXES:])
    return SpeedTable(axes, monotone(speeds.reshape(grid.shape[:-1])))


def _of(x: Floats) -> Roofline:
    a0, a1, a2, b0, b1, h = (float(value) for value in x)
    return Roofline((a0, a1, a2, b0, b1, h))
