"""What a window is answered: its workload, one near to it, `unknown`, or that nothing is to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from models.fingerprint.boosted import Trees
from models.fingerprint.features import features
from models.fingerprint.known import Known, Near
from models.fingerprint.novelty import Novelty
from models.fingerprint.window import Floats, Window

Embedded = NDArray[np.float32]


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
    """workload: what most of the nearest five are, empty unless known. confidence: its share of their votes. similarity: mean
    over them, what `unknown` is judged by; NaN where nothing was compared."""

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
        """The workload that each window is nearest to, however far it is: to score models by."""
        return [str(name) for name in self.known.near(self.trees, features(windows)).vote()[0]]

    def _compare(self, rows: Floats) -> list[Fingerprint]:
        near = self.known.near(self.trees, rows)
        names, share = near.vote()
        return [
            self._answer(_neighbours(near, k), str(names[k]), float(share[k]), near.embedded[k])
            for k in range(len(rows))
        ]

    def _answer(self, near: tuple[Neighbour, ...], name: str, share: float, embedded: Embedded) -> Fingerprint:
        alike = float(np.mean([kin.similarity for kin in near]))
        embedding = tuple(float(x) for x in embedded)
        if self.novelty.unknown(np.array([alike])):
            return Fingerprint(Verdict.UNKNOWN, similarity=alike, nearest=near, embedding=embedding)
        return Fingerprint(Verdict.KNOWN, name, share, alike, near, embedding)


def _neighbours(near: Near, row: int) -> tuple[Neighbour, ...]:
    found = zip(near.names[row].tolist(), near.shared[row].tolist(), near.distances[row].tolist(), strict=True)
    return tuple(Neighbour(*one) for one in found)


def _without_model(window: Window) -> Fingerprint | None:
    """The answer where the model is not asked; None where it is."""
    visible = window.visible
    if visible is None or len(window) < MIN_SAMPLES:
        return Fingerprint(Verdict.INSUFFICIENT)
    return None if visible else Fingerprint(Verdict.NOTHING_VISIBLE)
