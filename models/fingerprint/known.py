"""The workloads that are known: their embeddings to find who is near quickly, their leaves to say how near.

Two steps. The embedding is the margins turned to their main axes: sums of leaf values, 10 numbers for 11 classes, good to
find candidates among 100,000. Leaf similarity is better in saying whether anything is near, and dear: only candidates get it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.fingerprint.boosted import Trees
from models.fingerprint.match import ListIndex
from models.fingerprint.window import Floats

DIMENSIONS = 16
CANDIDATES = 64
NEAREST = 5
"""Neighbours whose similarity is averaged: 1, 5 and 15 find 0.39, 0.41 and 0.37 of unknown families."""


@dataclass(frozen=True, slots=True)
class Known:
    """names [m]: whose windows; axes [classes, d]; leaves [m, trees]; index over embeddings [m, d]."""

    names: NDArray[np.str_]
    axes: NDArray[np.float32]
    leaves: NDArray[np.uint8]
    index: ListIndex

    @classmethod
    def of(cls, trees: Trees, rows: Floats, names: NDArray[np.str_]) -> Known:
        """From the features [m, features] of known windows."""
        margins = trees.margins(rows)
        axes = axes_of(margins)
        return cls(names, axes, trees.leaves(rows), ListIndex.build(_turned(margins, axes)))

    def embed(self, margins: NDArray[np.float32]) -> NDArray[np.float32]:
        """[n, d] from margins [n, classes]."""
        return _turned(margins, self.axes)

    def nearest(self, trees: Trees, rows: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
        """Places in `names`, leaf similarities and distances, [n, k], most similar first; k is at most 64."""
        places, distances = self.index.nearest(self.embed(trees.margins(rows)), min(CANDIDATES, len(self.names)))
        found = trees.leaves(rows)
        shared = np.array([(self.leaves[at] == leaf).mean(axis=1) for at, leaf in zip(places, found, strict=True)])
        order = np.argsort(-shared, axis=1, kind="stable")
        return (
            np.take_along_axis(places, order, 1),
            np.take_along_axis(shared, order, 1),
            np.take_along_axis(distances, order, 1),
        )

    def similarity(self, trees: Trees, rows: Floats) -> Floats:
        """[n]: mean leaf similarity to the nearest five."""
        return np.asarray(self.nearest(trees, rows)[1][:, :NEAREST].mean(axis=1))


def _turned(margins: NDArray[np.float32], axes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Row by row and not as a matrix product, whose last bits depend on how many rows are asked together."""
    return np.asarray(np.einsum("nc,cd->nd", margins, axes, optimize=False), dtype=np.float32)


def axes_of(margins: NDArray[np.float32]) -> NDArray[np.float32]:
    """[classes, d]: the main axes of margins less their mean over classes, which softmax does not see."""
    classes = margins.shape[1]
    centring = np.eye(classes) - 1 / classes
    centred = margins @ centring
    _, _, main = np.linalg.svd(centred - centred.mean(axis=0), full_matrices=False)
    return np.asarray(centring @ main[: min(DIMENSIONS, classes - 1)].T, dtype=np.float32)
