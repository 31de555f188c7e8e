"""A taught model: class probabilities, and where it must not be asked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import xgboost
from numpy.typing import NDArray

from models.bottleneck import Bottleneck
from models.bottleneck_model.features import FEATURES

FORMAT = 1
Floats = NDArray[np.float64]
Features = NDArray[np.float32]


class ModelError(ValueError):
    """A model that must not be used: broken, changed, or of another format. The message says which, and the mend."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is and how good it was on workloads that it had not seen.

    classes:   names of models.bottleneck.Bottleneck, in the order of its outputs
    trusted:   those that enough workloads had; it is never believed about others
    slopes, offsets: per class, calibration of the log-odds (Platt), from workloads left out
    low, high: per feature, the range of the windows that taught it; outside it abstains. NaN is written as null
    agreement, abstained: shares of the windows of workloads left out
    """

    trained_ms: int
    data: str
    licence: str
    windows: int
    workloads: int
    classes: tuple[str, ...]
    trusted: tuple[str, ...]
    slopes: tuple[float, ...]
    offsets: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    agreement: float
    abstained: float
    features: tuple[str, ...] = FEATURES

    @classmethod
    def blank(cls, trained_ms: int, data: str, licence: str) -> ModelCard:
        """A card whose other fields training fills in."""
        return cls(trained_ms, data, licence, 0, 0, (), (), (), (), (), (), 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class _Stored:
    format: int
    sha256: str
    card: ModelCard


@dataclass(frozen=True, slots=True)
class Inferred:
    """Per window, [n]: the likeliest Bottleneck and its calibrated probability; 0 where it must not be believed."""

    bottleneck: NDArray[np.uint8]
    confidence: Floats


class BottleneckModel:
    """Answers from a booster and its card."""

    def __init__(self, booster: xgboost.Booster, card: ModelCard) -> None:
        self.booster = booster
        self.card = card
        self._codes = np.array([Bottleneck[name] for name in card.classes], dtype=np.uint8)
        self._trusted = np.isin(card.classes, card.trusted)

    def infer(self, features: Features) -> Inferred:
        """Answers for windows [n, FEATURES]."""
        if not len(features):
            return Inferred(np.empty(0, np.uint8), np.empty(0))
        sure = calibrated(raw_odds(self.booster, features), self.card.slopes, self.card.offsets)
        best = sure.argmax(axis=1)
        believed = self._trusted[best] & ~self._outside(features)
        return Inferred(self._codes[best], np.where(believed, sure.max(axis=1), 0.0))

    def _outside(self, features: Features) -> NDArray[np.bool_]:
        """Windows with a value that no window had which taught it."""
        low, high = (np.array(bound, dtype=np.float64) for bound in (self.card.low, self.card.high))
        seen = ~np.isnan(features)
        outside: NDArray[np.bool_] = np.any(seen & ~((features >= low - _ROOM) & (features <= high + _ROOM)), axis=1)
        return outside

    def dump(self) -> tuple[bytes, bytes]:
        """(XGBoost's binary JSON, card as JSON)."""
        body = bytes(self.booster.save_raw("ubj"))
        stored = _Stored(FORMAT, hashlib.sha256(body).hexdigest(), self.card)
        return body, msgspec.json.format(msgspec.json.encode(stored)) + b"\n"


_ROOM = 0.02
"""Features are ratios; what lies two hundredths outside the range that was taught is no news."""


def load(body: bytes, card: bytes) -> BottleneckModel:
    """The model behind `dump`. Raises ModelError."""
    try:
        stored = msgspec.json.decode(card, type=_Stored)
    except msgspec.DecodeError as error:
        raise ModelError(f"bottleneck model card cannot be read: {error}; train it again") from error
    found = hashlib.sha256(body).hexdigest()
    if (stored.format, stored.sha256, stored.card.features) != (FORMAT, found, FEATURES):
        raise ModelError(
            f"bottleneck model: its card says format {stored.format}, sha256 {stored.sha256}; the file beside it has "
            f"sha256 {found} and this program reads format {FORMAT} with features {', '.join(FEATURES)}: train it again"
        )
    if unknown := set(stored.card.classes) - {known.name for known in Bottleneck}:
        raise ModelError(
            f"bottleneck model: its card names unknown classes {', '.join(sorted(unknown))}; train it again"
        )
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(body))
    except xgboost.core.XGBoostError as error:
        raise ModelError(f"bottleneck model cannot be read by XGBoost: {str(error)[:200]}; train it again") from error
    booster.set_param({"nthread": 1})
    return BottleneckModel(booster, stored.card)


def raw_odds(booster: xgboost.Booster, features: Features) -> Floats:
    """Log-odds of each class as the booster sees it, [n, classes]."""
    raw = (
        booster.predict(xgboost.DMatrix(features, missing=np.nan, nthread=1))
        .reshape(len(features), -1)
        .astype(np.float64)
    )
    p = np.clip(raw, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def calibrated(odds: Floats, slopes: Sequence[float], offsets: Sequence[float]) -> Floats:
    """Probabilities that add up to 1, [n, classes]."""
    p = 1 / (1 + np.exp(-(odds * np.array(slopes) + np.array(offsets))))
    shared: Floats = p / p.sum(axis=1, keepdims=True)
    return shared


def accuracy(inferred: Inferred, truth: NDArray[np.uint8], sure: float) -> tuple[float, float]:
    """(the same class or none given, none given), as shares of all windows."""
    silent = inferred.confidence < sure
    return float(np.mean(silent | (inferred.bottleneck == truth))), float(np.mean(silent))
