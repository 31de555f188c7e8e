"""A fingerprint model as three files' bytes: XGBoost's own, an npz of plain arrays, and a JSON card with both checksums."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import msgspec
import numpy as np

from models.fingerprint.boosted import ArtifactError, Trees
from models.fingerprint.features import VERSION
from models.fingerprint.known import Known
from models.fingerprint.match import ListIndex
from models.fingerprint.model import Card, Fingerprinter
from models.fingerprint.novelty import Novelty

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Artifact:
    trees: bytes
    arrays: bytes
    card: bytes


@dataclass(frozen=True, slots=True)
class _Stored:
    """The card file."""

    format: int
    trees_sha256: str
    arrays_sha256: str
    novelty: Novelty
    card: Card


def dump(model: Fingerprinter) -> Artifact:
    """The same model gives the same bytes."""
    buffer = io.BytesIO()
    known = model.known
    np.savez_compressed(buffer, names=known.names, axes=known.axes, leaves=known.leaves, embedded=known.index.given())
    trees, arrays = model.trees.dump(), buffer.getvalue()
    stored = _Stored(FORMAT, _sha256(trees), _sha256(arrays), model.novelty, model.card)
    return Artifact(trees, arrays, msgspec.json.format(msgspec.json.encode(stored)) + b"\n")


def load(artifact: Artifact) -> Fingerprinter:
    """The model behind `dump`. Raises ArtifactError when checksums, format, features or shapes do not agree."""
    try:
        stored = msgspec.json.decode(artifact.card, type=_Stored)
    except msgspec.DecodeError as error:
        raise ArtifactError(f"fingerprint card cannot be read: {error}; fetch it or train again") from error
    said = (stored.format, stored.trees_sha256, stored.arrays_sha256)
    found = (FORMAT, _sha256(artifact.trees), _sha256(artifact.arrays))
    if said != found:
        raise ArtifactError(
            f"fingerprint model: the card says format and checksums {said}; found {found}: fetch all files or train again"
        )
    if stored.card.feature_version != VERSION:
        raise ArtifactError(
            f"fingerprint model: trained on features of version {stored.card.feature_version}, this is version {VERSION}: "
            "train again"
        )
    return Fingerprinter(Trees.load(artifact.trees), _known(artifact.arrays), stored.novelty, stored.card)


def _known(body: bytes) -> Known:
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        names, axes, leaves, embedded = (arrays[key] for key in ("names", "axes", "leaves", "embedded"))
    if not len(names) == len(leaves) == len(embedded) or axes.shape[1] != embedded.shape[1]:
        shapes = {"names": names.shape, "axes": axes.shape, "leaves": leaves.shape, "embedded": embedded.shape}
        raise ArtifactError(f"fingerprint model: arrays have shapes {shapes}, which do not agree; train it again")
    return Known(names, axes, leaves, ListIndex.build(embedded))


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
