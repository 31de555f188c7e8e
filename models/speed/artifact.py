"""A learned speed model as bytes: an npz of plain arrays beside a JSON card that holds its checksum. Never pickle."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from models.speed.roofline import Roofline
from models.speed.table import DEMAND_AXES, SHARE_AXES, SpeedTable

FORMAT = 1


class ArtifactError(ValueError):
    """An artifact that must not be used: broken, changed, or of another format. The message says which and the mend."""


@dataclass(frozen=True, slots=True)
class SpeedCard:
    """What a model is and where it may be used.

    form:             `trees`: learned table; `roofline`: the six-number form, where too few jobs were measured
    telemetry_source: whose utilisation it was trained on (`nvml`); it has no skill on another's.
    gpu:              the GPU it was measured on, a name of models.hardware.gpus
    errors:           mean absolute error per slice on families that were left out
    """

    name: str
    version: str
    form: str
    trained_ms: int
    telemetry_source: str
    gpu: str
    jobs: int
    pairs: int
    data: str
    licence: str
    limits: str
    errors: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SpeedModel:
    table: SpeedTable
    roofline: Roofline
    card: SpeedCard


@dataclass(frozen=True, slots=True)
class _Stored:
    """The card file."""

    format: int
    sha256: str
    card: SpeedCard


def dump(model: SpeedModel) -> tuple[bytes, bytes]:
    """(npz, card as JSON). Values are kept as 16-bit floats: 0.0005 is far below the error, and halves the size."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {f"axis_{k}": axis for k, axis in enumerate(model.table.axes)}
    arrays["values"] = model.table.values.astype(np.float16)
    arrays["roofline"] = np.array(model.roofline.parameters)
    np.savez_compressed(buffer, **arrays)
    body = buffer.getvalue()
    stored = _Stored(FORMAT, hashlib.sha256(body).hexdigest(), model.card)
    return body, msgspec.json.format(msgspec.json.encode(stored)) + b"\n"


def load(body: bytes, card: bytes) -> SpeedModel:
    """The model behind `dump`. Raises ArtifactError when the checksum, the format or the shapes do not agree."""
    try:
        stored = msgspec.json.decode(card, type=_Stored)
    except msgspec.DecodeError as error:
        raise ArtifactError(f"speed model card cannot be read: {error}; fetch it or train again") from error
    found = hashlib.sha256(body).hexdigest()
    if (stored.format, stored.sha256) != (FORMAT, found):
        raise ArtifactError(
            f"speed model: the card says format {stored.format}, sha256 {stored.sha256}; the arrays have "
            f"format {FORMAT}, sha256 {found}: fetch both files again or train again"
        )
    return _model(body, stored.card)


def _model(body: bytes, card: SpeedCard) -> SpeedModel:
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        axes = tuple(np.asarray(arrays[f"axis_{k}"], dtype=np.float64) for k in range(DEMAND_AXES + SHARE_AXES))
        values = np.asarray(arrays["values"], dtype=np.float64)
        a0, a1, a2, b0, b1, h = (float(x) for x in arrays["roofline"])
    if values.shape != tuple(len(axis) for axis in axes):
        raise ArtifactError(f"speed model: values have shape {values.shape}, axes say otherwise; train it again")
    return SpeedModel(SpeedTable(axes, values), Roofline((a0, a1, a2, b0, b1, h)), card)
