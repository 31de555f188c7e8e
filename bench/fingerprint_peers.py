"""What the fingerprint is measured against: summary features with an untuned XGBoost, and other learners on our features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer, StandardScaler
from sklearn.svm import SVC

from models.fingerprint.boosted import Trees, TreeSettings
from models.fingerprint.window import MIB, Floats, Window

Labels = NDArray[np.intp]

UNTUNED = TreeSettings(
    rounds=200, depth=5, learning_rate=0.1, rows_share=1, columns_share=1, min_child_weight=1, l2=1, bins=256
)


def summaries(windows: Sequence[Window]) -> Floats:
    """[n, 21]: length, and mean, deviation and quantiles of utilisation and memory: the usual first try."""
    quantiles = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
    rows = []
    for window in windows:
        activity = window.signals["gpu_utilization_ratio"]
        memory = window.signals["framebuffer_used_bytes"] / MIB
        both = [x for v in (activity, memory) for x in (v.mean(), v.std(), *np.quantile(v, quantiles))]
        rows.append([len(window), np.abs(np.diff(activity)).mean(), np.abs(np.diff(memory)).mean(), *both])
    return np.array(rows)


def untuned(known: Floats, labels: Labels, asked: Floats) -> Labels:
    """Answers [n] of 200 trees of depth 5."""
    margins = Trees.train(known, labels, int(labels.max()) + 1, UNTUNED).margins(asked)
    return np.asarray(np.argmax(margins, axis=1), dtype=np.intp)


def boosted(known: Floats, labels: Labels, asked: Floats) -> Labels:
    """Our trees on our features, without copies and first minutes."""
    margins = Trees.train(known, labels, int(labels.max()) + 1, TreeSettings()).margins(asked)
    return np.asarray(np.argmax(margins, axis=1), dtype=np.intp)


def extra_trees(known: Floats, labels: Labels, asked: Floats) -> Labels:
    forest = ExtraTreesClassifier(300, max_features=0.15, class_weight="balanced", random_state=0)
    return np.asarray(forest.fit(_filled(known), labels).predict(_filled(asked)))


def vector_machine(known: Floats, labels: Labels, asked: Floats) -> Labels:
    """RBF kernel on normal scores, clipped at three deviations."""
    some = ~np.isnan(known).all(axis=0)
    machine = make_pipeline(
        QuantileTransformer(n_quantiles=100, output_distribution="normal"),
        StandardScaler(),
        FunctionTransformer(lambda scores: np.clip(scores, -3, 3)),
        SVC(C=5, gamma=0.002, class_weight="balanced"),
    )
    return np.asarray(machine.fit(_filled(known[:, some]), labels).predict(_filled(asked[:, some])))


def _filled(rows: Floats) -> Floats:
    """These learners need a number where a feature is missing."""
    return np.nan_to_num(rows, nan=-1.0)
