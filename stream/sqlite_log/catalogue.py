"""The streams of a log: created once, looked up by name."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from stream.contract import LogError, StreamSpec
from stream.routing import check_spec
from stream.sqlite_log.schema import OFFSET_BITS


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream as the file holds it."""

    id: int
    name: str
    partitions: int
    first_slot: int
    compacted: bool
    retention_ms: int | None
    max_message_bytes: int

    def message_id(self, partition: int, offset: int) -> int:
        """The id of a message; ids of a partition are consecutive integers, in the order of its offsets."""
        return (self.first_slot + partition) << OFFSET_BITS | offset

    @property
    def slots(self) -> range:
        return range(self.first_slot, self.first_slot + self.partitions)


def offset_of(message_id: int) -> int:
    return message_id & ((1 << OFFSET_BITS) - 1)


def find_stream(tx: sqlite3.Connection, name: str) -> StreamRow:
    """Raises LogError when there is no such stream."""
    row = tx.execute(_SELECT, (name,)).fetchone()
    if row is None:
        raise LogError(f"stream {name!r} does not exist; create it with EventLog.ensure")
    return _stream(row)


def ensure_stream(tx: sqlite3.Connection, spec: StreamSpec) -> None:
    """Create the stream. One that exists keeps its settings, but takes messages as large as the spec says."""
    check_spec(spec)
    row = tx.execute(_SELECT, (spec.name,)).fetchone()
    if row is None:
        _create(tx, spec)
        return
    if _stream(row).compacted != spec.compacted:
        raise LogError(
            f"stream {spec.name!r} exists and is {_kept(not spec.compacted)}, but must be {_kept(spec.compacted)}: "
            "messages would be lost. Use a log of its own for this installation"
        )
    tx.execute(
        "UPDATE streams SET max_message_bytes = max(max_message_bytes, ?) WHERE id = ?",
        (spec.max_message_bytes, row[0]),
    )


def ends(tx: sqlite3.Connection, stream: StreamRow) -> dict[int, int]:
    """Per partition, the next offset to be written."""
    rows = tx.execute("SELECT slot, next_offset FROM slots WHERE slot >= ? AND slot < ?", _bounds(stream))
    return {slot - stream.first_slot: end for slot, end in rows}


def starts(tx: sqlite3.Connection, stream: StreamRow) -> Iterator[tuple[int, int]]:
    """Partition and first offset kept, for the partitions that hold a message."""
    for partition in range(stream.partitions):
        first = tx.execute(
            "SELECT min(id) FROM messages WHERE id >= ? AND id < ?",
            (stream.message_id(partition, 0), stream.message_id(partition + 1, 0)),
        ).fetchone()[0]
        if first is not None:
            yield partition, offset_of(first)


_SELECT = (
    "SELECT id, name, partitions, first_slot, compacted, retention_ms, max_message_bytes FROM streams WHERE name = ?"
)


def _stream(row: tuple[int, str, int, int, int, int | None, int]) -> StreamRow:
    return StreamRow(*row[:4], bool(row[4]), *row[5:])


def _create(tx: sqlite3.Connection, spec: StreamSpec) -> None:
    first_slot = tx.execute("SELECT coalesce(max(slot) + 1, 0) FROM slots").fetchone()[0]
    tx.execute(
        "INSERT INTO streams (name, partitions, first_slot, compacted, retention_ms, max_message_bytes) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (spec.name, spec.partitions, first_slot, spec.compacted, spec.retention_ms, spec.max_message_bytes),
    )
    tx.executemany("INSERT INTO slots VALUES (?, 0)", [(first_slot + i,) for i in range(spec.partitions)])


def _kept(compacted: bool) -> str:
    return "compacted" if compacted else "kept for a time"


def _bounds(stream: StreamRow) -> tuple[int, int]:
    return stream.slots.start, stream.slots.stop
