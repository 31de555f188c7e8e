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
"""Neighbours that vote, and whose similarity is averaged. On GPUs left out 5 and 15 name 0.919 and 0.915 of runs, the class
with the largest margin 0.905; 1, 5 and 15 find 0.39, 0.41 and 0.37 of unknown families."""
_SHARPNESS = 4
"""Power of similarity that is a vote's weight: a neighbour half as similar counts a sixteenth."""


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

    def near(self, trees: Trees, rows: Floats) -> Near:
        """The nearest of what is known to each row of features, the most similar first."""
        embedded = self.embed(trees.margins(rows))
        places, distances = self.index.nearest(embedded, min(CANDIDATES, len(self.names)))
        leaves = trees.leaves(rows)
        shared = np.array([(self.leaves[at] == leaf).mean(axis=1) for at, leaf in zip(places, leaves, strict=True)])
        shared = shared.reshape(places.shape)
        order = np.argsort(-shared, axis=1, kind="stable")[:, :NEAREST]
        taken = (np.take_along_axis(values, order, 1) for values in (places, shared, distances))
        nearest, alike, apart = taken
        return Near(self.names[nearest], alike, apart, embedded)


@dataclass(frozen=True, slots=True)
class Near:
    """names, shared (leaf similarity, 0 to 1) and distances (of embeddings), [n, 5 or fewer]; embedded [n, d]."""

    names: NDArray[np.str_]
    shared: Floats
    distances: Floats
    embedded: NDArray[np.float32]

    @property
    def similarity(self) -> Floats:
        """[n]: the mean over the nearest: what `unknown` is judged by."""
        return np.asarray(self.shared.mean(axis=1))

    def vote(self) -> tuple[NDArray[np.str_], Floats]:
        """The name that most of the nearest agree on, weighted by similarity, and its share of their votes, [n]. Not the
        largest margin: neighbours can be of workloads that are no class."""
        weight = self.shared**_SHARPNESS + 1e-12
        votes = np.sum((self.names[:, :, None] == self.names[:, None, :]) * weight[:, :, None], axis=1)
        best = np.argmax(votes, axis=1)[:, None]
        share = np.take_along_axis(votes, best, 1)[:, 0] / weight.sum(axis=1)
        return np.take_along_axis(self.names, best, 1)[:, 0], np.asarray(share)


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
