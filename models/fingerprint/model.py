"""What a window is answered: its workload, one near to it, `unknown`, or that nothing is to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from models.fingerprint.boosted import Trees
from models.fingerprint.features import features
from models.fingerprint.known import NEAREST, Known
from models.fingerprint.match import Places
from models.fingerprint.novelty import Novelty
from models.fingerprint.window import Floats, Window


@dataclass(frozen=True, slots=True)
class Card:
    """What a model is and how good. accuracy, macro_f1: on groups held out; feature_version: models.fingerprint.features."""

    name: str
    version: str
    trained_ms: int
    data: str
    licence: str
    limits: str
    feature_version: int
    classes: tuple[str, ...] = ()
    windows: int = 0
    groups: int = 0
    accuracy: float = float("nan")
    macro_f1: float = float("nan")


class Verdict(Enum):
    KNOWN = "known"
    UNKNOWN = "unknown"
    NOTHING_VISIBLE = "nothing-visible"
    INSUFFICIENT = "insufficient"


SENTENCES: dict[Verdict, str] = {
    Verdict.KNOWN: "it behaves like a workload that is known",
    Verdict.UNKNOWN: "no known workload is near",
    Verdict.NOTHING_VISIBLE: "no workload visible on this GPU",
    Verdict.INSUFFICIENT: "neither device memory nor activity is told, or too few samples: nothing can be said",
}

MIN_SAMPLES = 15
"""Half a minute at 2 s: shorter windows end before most scripts have loaded."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """similarity: share of trees with the same leaf, 0 to 1; distance: between embeddings, in margins."""

    workload: str
    similarity: float
    distance: float


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """workload: the most probable class, empty unless known. confidence: its probability. similarity: mean over the nearest
    five, what `unknown` is judged by; NaN where nothing was compared."""

    verdict: Verdict
    workload: str = ""
    confidence: float = 0.0
    similarity: float = float("nan")
    nearest: tuple[Neighbour, ...] = ()
    embedding: tuple[float, ...] = ()

    @property
    def sentence(self) -> str:
        return SENTENCES[self.verdict]


@dataclass(frozen=True, slots=True)
class Fingerprinter:
    trees: Trees
    known: Known
    novelty: Novelty
    card: Card

    def identify(self, windows: Sequence[Window]) -> list[Fingerprint]:
        """One answer per window, in order."""
        answers = [_without_model(window) for window in windows]
        open_ = [k for k, answer in enumerate(answers) if answer is None]
        compared = iter(self._compare(features([windows[k] for k in open_])) if open_ else ())
        return [next(compared) if answer is None else answer for answer in answers]

    def classify(self, windows: Sequence[Window]) -> list[str]:
        """The most probable class of each window, whether or not anything is near: to score models by."""
        best = np.argmax(self.trees.margins(features(windows)), axis=1)
        return [self.card.classes[k] for k in best.tolist()]

    def _compare(self, rows: Floats) -> list[Fingerprint]:
        margins = self.trees.margins(rows)
        chance = probabilities(margins)
        places, shared, apart = self.known.nearest(self.trees, rows)
        embedded = self.known.embed(margins)
        return [
            self._answer(chance[k], embedded[k], places[k, :NEAREST], shared[k, :NEAREST], apart[k, :NEAREST])
            for k in range(len(rows))
        ]

    def _answer(self, chance: Floats, embedded: Floats, places: Places, shared: Floats, apart: Floats) -> Fingerprint:
        near = tuple(
            Neighbour(str(self.known.names[at]), float(alike), float(distance))
            for at, alike, distance in zip(places, shared, apart, strict=True)
        )
        similarity, best = float(shared.mean()), int(np.argmax(chance))
        embedding = tuple(float(x) for x in embedded)
        if self.novelty.unknown(np.array([similarity])):
            return Fingerprint(Verdict.UNKNOWN, similarity=similarity, nearest=near, embedding=embedding)
        return Fingerprint(Verdict.KNOWN, self.card.classes[best], float(chance[best]), similarity, near, embedding)


def _without_model(window: Window) -> Fingerprint | None:
    """The answer where the model is not asked; None where it is."""
    visible = window.visible
    if visible is None or len(window) < MIN_SAMPLES:
        return Fingerprint(Verdict.INSUFFICIENT)
    return None if visible else Fingerprint(Verdict.NOTHING_VISIBLE)


def probabilities(margins: NDArray[np.float32]) -> Floats:
    """Softmax over classes, [n, classes]."""
    raised = np.exp((margins - margins.max(axis=1, keepdims=True)).astype(np.float64))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
