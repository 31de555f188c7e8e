"""How fast fingerprints are embedded and matched, in processor time of one core."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.fingerprint.boosted import Trees
from models.fingerprint.known import Known
from models.fingerprint.match import ListIndex
from models.fingerprint.model import Fingerprinter
from models.fingerprint.train import Rows
from models.fingerprint.window import Window

KNOWN, ASKED = 100_000, 10_000
_JITTER = 0.3
"""Of the spread of each dimension within its family: how far copies of a known point lie from it."""


@dataclass(frozen=True, slots=True)
class Speed:
    """ten_thousand_s: embedding from features, and matching; recall: share whose nearest is the true nearest."""

    ten_thousand_s: float
    exact_s: float
    recall: float
    build_s: float


def match_speed(trees: Trees, known: Known, rows: Rows, seed: int = 0) -> Speed:
    """Against resampled embeddings of real runs and their copies, jittered; asked are resampled feature rows."""
    rng = np.random.default_rng(seed)
    real = known.embed(trees.margins(rows.rows))
    points = real[rng.integers(0, len(real), KNOWN)] + rng.normal(0, _JITTER, (KNOWN, real.shape[1])) * _within(
        real, rows
    )
    asked = rows.rows[rng.integers(0, len(rows.rows), ASKED)]
    started = time.process_time()
    index = ListIndex.build(points)
    build_s = time.process_time() - started
    taken = []
    for _ in range(3):
        started = time.process_time()
        found, _ = index.nearest(known.embed(trees.margins(asked)))
        taken.append(time.process_time() - started)
    started = time.process_time()
    exact = _exact(index, known.embed(trees.margins(asked)))
    exact_s = time.process_time() - started
    return Speed(min(taken), exact_s, float(np.mean(found[:, 0] == exact)), build_s)


def one_ms(model: Fingerprinter, windows: Sequence[Window]) -> float:
    """Median milliseconds of processor time for one window, features included."""
    taken = []
    for window in windows:
        started = time.process_time()
        model.identify([window])
        taken.append(time.process_time() - started)
    return 1000 * float(np.median(taken))


def _within(real: NDArray[np.float32], rows: Rows) -> NDArray[np.float32]:
    """[d]: how far the copies of a run lie apart, in each dimension; what a workload looks like elsewhere."""
    spread = [real[rows.owner == k].std(axis=0) for k in range(0, int(rows.owner.max()) + 1, 10)]
    return np.asarray(np.median(spread, axis=0))


def _exact(index: ListIndex, asked: NDArray[np.float32]) -> NDArray[np.intp]:
    """Brute force in blocks: what the list index is measured against."""
    asked = asked - index.middle
    squares = np.sum(index.points**2, axis=1)
    best = np.full(len(asked), np.inf, np.float32)
    where = np.zeros(len(asked), np.intp)
    for at in range(0, len(index.points), 4096):
        block = slice(at, at + 4096)
        for start in range(0, len(asked), 512):
            some = slice(start, start + 512)
            apart = squares[block] - 2 * (asked[some] @ index.points[block].T)
            nearest = apart.argmin(axis=1)
            value = apart[np.arange(len(apart)), nearest]
            better = value < best[some]
            best[some], where[some] = np.where(better, value, best[some]), np.where(better, nearest + at, where[some])
    return index.place[where]
