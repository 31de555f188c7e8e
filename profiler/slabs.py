"""The state of a partition as messages of the profiles stream, and back.

One message per slab of 256 rows (a tombstone once all of them are forgotten) and one `cover`, which says which
telemetry the slabs include.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from models.columns import Columns
from models.profile import PROFILE_FIELDS
from profiler.profiles import SLAB, Profiles
from stream import schemas
from stream.columns_codec import decode_columns, encode_columns
from stream.consume import Rejection
from stream.contract import Message, Record
from stream.dead_letters import BadMessageError, Reason
from stream.json_codec import decode_json, encode_json
from stream.sequence import Sequences, Taken

_log = logging.getLogger(__name__)

COVER_KEY = "cover"
_SLAB_PREFIX = "slab/"
_MAX_COVER_BYTES = 8 << 20
"""About 80 bytes a producer: 100,000 nodes."""


@dataclass(frozen=True, slots=True)
class Cover:
    """What the slabs of a partition include: telemetry below `next_offset`, and of each producer what was taken."""

    next_offset: int
    producers: dict[str, Taken]


def slab_message(profiles: Profiles, index: int, partition: int, time_ms: int) -> Message:
    slab = profiles.slab(index)
    value = encode_columns(slab) if len(slab) else None
    return Message(f"{_SLAB_PREFIX}{index}", value, {schemas.SCHEMA: schemas.PROFILE}, time_ms, partition)


def cover_message(cover: Cover, partition: int, time_ms: int) -> Message:
    return Message(COVER_KEY, encode_json(cover), {schemas.SCHEMA: schemas.COVER}, time_ms, partition)


@dataclass(slots=True)
class Restored:
    """A partition's state as read. `bad`: messages that were not understood; what they held begins anew."""

    profiles: Profiles
    sequences: Sequences
    next_offset: int | None
    bad: list[Rejection]


def restore(records: Iterable[Record]) -> Restored:
    """The state from all messages of a profiles partition; of each key the last one counts."""
    newest = {record.key: record for record in records}
    bad: list[Rejection] = []
    cover = _read_cover(newest.pop(COVER_KEY, None), bad)
    if cover is None:  # slabs of which nobody knows what they include would be counted twice
        return Restored(Profiles(), Sequences(), None, bad)
    slabs: dict[int, Columns] = {}
    for record in newest.values():
        try:
            index, slab = _read_slab(record)
        except BadMessageError as error:
            bad.append((record, error))
            continue
        if len(slab):
            slabs[index] = slab
    return Restored(Profiles.restored(slabs), Sequences(cover.producers), cover.next_offset, bad)


def _read_cover(record: Record | None, bad: list[Rejection]) -> Cover | None:
    if record is None or record.value is None:
        return None
    try:
        _check_schema(record, schemas.COVER)
        return decode_json(record.value, Cover, _MAX_COVER_BYTES)
    except BadMessageError as error:
        bad.append((record, error))
        return None


def _read_slab(record: Record) -> tuple[int, Columns]:
    number = record.key.removeprefix(_SLAB_PREFIX)
    if number == record.key or not (number.isascii() and number.isdigit() and len(number) < 8):
        raise BadMessageError(Reason.MALFORMED, f"key {record.key[:80]!r} is neither {COVER_KEY!r} nor slab/<number>")
    if record.value is None:
        return int(number), Columns(PROFILE_FIELDS, [], {})
    _check_schema(record, schemas.PROFILE)
    slab = decode_columns(record.value, PROFILE_FIELDS)
    if len(slab) > SLAB:
        raise BadMessageError(Reason.OVERSIZED, f"{len(slab)} rows in {record.key!r}; a slab has at most {SLAB}")
    return int(number), slab


def _check_schema(record: Record, expected: str) -> None:
    schema = record.headers.get(schemas.SCHEMA, "")
    if schema != expected:
        raise BadMessageError(Reason.UNKNOWN_SCHEMA, f"header schema is {schema[:80]!r}; {expected!r} was expected")
