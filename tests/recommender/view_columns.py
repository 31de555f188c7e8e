"""Hand-made profile and recommendation slabs, and the messages that carry them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.columns import Columns, Field, empty_arrays
from models.profile import PROFILE_FIELDS
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.view import Slab, Snapshot, join
from stream import schemas
from stream.columns_codec import encode_columns
from stream.contract import Record

GIB = float(1 << 30)
DAY_MS = 86_400_000


def columns(table: tuple[Field, ...], ids: Sequence[str], **values: Any) -> Columns:
    """Empty rows of a table with some columns given."""
    arrays = empty_arrays(table, len(ids))
    for name, value in values.items():
        arrays[name][:] = np.asarray(value)
    return Columns(table, list(ids), arrays)


def profiles(ids: Sequence[str], **values: Any) -> Columns:
    return columns(PROFILE_FIELDS, ids, **({"first_seen_ms": DAY_MS, "last_seen_ms": 2 * DAY_MS} | values))


def recommendations(ids: Sequence[str], **values: Any) -> Columns:
    return columns(RECOMMENDATION_FIELDS, ids, **({"computed_ms": 2 * DAY_MS, "confidence": 0.5} | values))


def slab(ids: Sequence[str], profile: Mapping[str, Any] | None = None, **values: Any) -> Slab:
    made = profiles(ids, **(profile or {}))
    return join(made, encode_columns(made), recommendations(ids, **values))


def snapshot(*slabs: Slab) -> Snapshot:
    return Snapshot({(0, f"slab/{i}"): part for i, part in enumerate(slabs)})


def message(columns_: Columns, stream: str, partition: int = 0, number: int = 0, offset: int = 0) -> Record:
    schema = schemas.PROFILE if stream == "profiles" else schemas.RECOMMENDATION
    value = encode_columns(columns_)
    return Record(stream, partition, offset, f"slab/{number}", value, {"schema": schema}, 1000)
