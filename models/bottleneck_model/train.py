"""Teach a model: gradient-boosted trees, calibrated on workloads that each fold had not seen.

Windows of one workload resemble each other, so a split by windows would leak: every fold leaves whole workloads out. The
calibration (Platt's sigmoid per class, by scikit-learn) and the accuracy in the card come from those predictions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from models.bottleneck import SURE, Bottleneck
from models.bottleneck_model.model import BottleneckModel, Features, Floats, Inferred, ModelCard, accuracy, raw_odds
from models.bottleneck_model.windows import Windows


class TooFewWorkloadsError(ValueError):
    """Too little to learn from. The message says what there is and what it needs."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    rounds: int = 120
    depth: int = 4
    learning_rate: float = 0.1
    min_workloads: int = 3
    """Workloads of a class below which it is not trusted: two agree by chance."""
    folds: int = 5
    seed: int = 1


def train(windows: Windows, card: ModelCard, settings: TrainSettings | None = None) -> BottleneckModel:
    """A model and how good it is on workloads left out; the fields of `card` that training finds are filled in.

    Raises TooFewWorkloadsError."""
    chosen = settings or TrainSettings()
    model = _teach(windows, card, chosen)
    agreement, abstained = accuracy(left_out(windows, card, chosen), windows.classes, SURE)
    return BottleneckModel(model.booster, replace(model.card, agreement=agreement, abstained=abstained))


def left_out(windows: Windows, card: ModelCard, chosen: TrainSettings) -> Inferred:
    """Each workload answered once, by a model (its calibration and its range too) that never saw it."""
    confidence, answer = np.zeros(len(windows)), windows.classes.copy()
    for rest, unseen in _folds(windows.workloads, chosen.folds):
        try:
            inferred = _teach(windows.take(rest), card, chosen).infer(windows.features[unseen])
        except TooFewWorkloadsError:
            continue  # it would give no answer
        confidence[unseen], answer[unseen] = inferred.confidence, inferred.bottleneck
    return Inferred(answer, confidence)


def _teach(windows: Windows, card: ModelCard, chosen: TrainSettings) -> BottleneckModel:
    names, target = np.unique(windows.classes, return_inverse=True)
    trusted = tuple(Bottleneck(c).name for c in names if _workloads_of(windows, c) >= chosen.min_workloads)
    if len(trusted) < 2:
        raise TooFewWorkloadsError(
            f"{len(np.unique(windows.workloads))} workloads have profiling counters, and {len(trusted)} classes occur in "
            f"{chosen.min_workloads} of them; it needs two such classes: let more kinds of work run, then train again"
        )
    slopes, offsets = _calibrate(windows, target, len(names), chosen)
    found = replace(
        card,
        windows=len(windows),
        workloads=len(np.unique(windows.workloads)),
        classes=tuple(Bottleneck(c).name for c in names),
        trusted=trusted,
        slopes=slopes,
        offsets=offsets,
        low=_bounds(np.fmin.reduce(windows.features)),
        high=_bounds(np.fmax.reduce(windows.features)),
    )
    return BottleneckModel(_fit(windows.features, target, len(names), chosen), found)


def _workloads_of(windows: Windows, bottleneck: int) -> int:
    return len(np.unique(windows.workloads[windows.classes == bottleneck]))


def _calibrate(
    windows: Windows, target: NDArray[np.intp], classes: int, chosen: TrainSettings
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Slope and offset per class, from log-odds of workloads left out; 1 and 0 where a class is everywhere or nowhere."""
    odds = np.zeros((len(windows), classes))
    for rest, unseen in _folds(windows.workloads, chosen.folds):
        booster = _fit(windows.features[rest], target[rest], classes, chosen)
        odds[unseen] = raw_odds(booster, windows.features[unseen])
    fits = [_sigmoid(odds[:, k], target == k) for k in range(classes)]
    return tuple(slope for slope, _ in fits), tuple(offset for _, offset in fits)


def _sigmoid(odds: Floats, truth: NDArray[np.bool_]) -> tuple[float, float]:
    if truth.all() or not truth.any():
        return 1.0, 0.0
    fitted = LogisticRegression().fit(odds[:, None], truth)
    return max(float(fitted.coef_[0, 0]), 0.0), float(fitted.intercept_[0])


def _folds(workloads: NDArray[np.str_], most: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """(rest, left out) row numbers; a workload is left out whole, once."""
    number = min(most, len(np.unique(workloads)))
    if number < 2:
        return iter(())
    return iter(GroupKFold(n_splits=number).split(workloads, groups=workloads))


def _fit(features: Features, target: NDArray[np.intp], classes: int, chosen: TrainSettings) -> xgboost.Booster:
    parameters = {
        "objective": "multi:softprob",
        "num_class": classes,
        "max_depth": chosen.depth,
        "eta": chosen.learning_rate,
        "seed": chosen.seed,
        "nthread": 1,  # so that sums have one order, and a model the same bytes
        "tree_method": "hist",
    }
    return xgboost.train(parameters, xgboost.DMatrix(features, target, missing=np.nan, nthread=1), chosen.rounds)


def _bounds(values: Features) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)
