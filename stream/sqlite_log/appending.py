"""Appending, and with it compaction and retention: each transaction clears away about as much as it brings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from stream.contract import Message
from stream.routing import partition_for
from stream.sqlite_log.catalogue import StreamRow, ends
from stream.sqlite_log.schema import OFFSET_BITS

TOMBSTONE_MS = 86_400_000
"""A reader that starts within a day of a deletion still sees it. Kafka keeps tombstones as long (delete.retention.ms)."""
EXTRA_DELETIONS = 64
"""Beyond one for each message written, so that a stream whose traffic fell shrinks too, in steps of microseconds."""


def append(tx: sqlite3.Connection, stream: StreamRow, messages: Sequence[Message], now_ms: int) -> None:
    """Write messages in order. Those without a time get `now_ms`."""
    next_offsets = ends(tx, stream)
    touched: set[int] = set()
    rows = []
    for message in messages:
        partition = partition_for(stream.name, message, stream.partitions)
        message_id = stream.message_id(partition, next_offsets[partition])
        next_offsets[partition] += 1
        touched.add(partition)
        headers = msgspec.json.encode(dict(message.headers)).decode()
        rows.append((message_id, message.time_ms or now_ms, now_ms, message.key, headers, message.value))
    tx.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)", rows)
    tx.executemany(
        "UPDATE slots SET next_offset = ? WHERE slot = ?",
        [(next_offsets[partition], stream.first_slot + partition) for partition in touched],
    )
    if stream.compacted:
        _compact(tx, [(_slot(row[0]), row[3], row[0], now_ms if row[5] is None else None) for row in rows])
        _drop_tombstones(tx, now_ms - TOMBSTONE_MS, len(rows) + EXTRA_DELETIONS)
    elif stream.retention_ms is not None:
        slots = [stream.first_slot + partition for partition in touched]
        _drop_expired(tx, slots, now_ms - stream.retention_ms, len(rows) + EXTRA_DELETIONS)


def _compact(tx: sqlite3.Connection, written: Iterable[tuple[int, str, int, int | None]]) -> None:
    """Delete what each (slot, key, id, buried_ms) replaces. At once, because the file is read by keys' newest only."""
    for row in written:
        old = tx.execute("SELECT id FROM newest WHERE slot = ? AND key = ?", row[:2]).fetchone()
        if old is not None:
            tx.execute("DELETE FROM messages WHERE id = ?", old)
        tx.execute("INSERT OR REPLACE INTO newest VALUES (?, ?, ?, ?)", row)


def _drop_tombstones(tx: sqlite3.Connection, before_ms: int, limit: int) -> None:
    buried = tx.execute(
        "SELECT slot, key, id FROM newest WHERE buried_ms < ? ORDER BY buried_ms LIMIT ?", (before_ms, limit)
    ).fetchall()
    tx.executemany("DELETE FROM messages WHERE id = ?", [(row[2],) for row in buried])
    tx.executemany("DELETE FROM newest WHERE slot = ? AND key = ?", [row[:2] for row in buried])


def _drop_expired(tx: sqlite3.Connection, slots: Iterable[int], before_ms: int, limit: int) -> None:
    """Delete the oldest messages of these slots that were written too long ago. Time of writing counts and not the
    message's own, or a recording of last year would be gone before it is read."""
    for slot in slots:
        span = (slot << OFFSET_BITS, (slot + 1) << OFFSET_BITS)
        oldest = tx.execute(
            "SELECT written_ms FROM messages WHERE id >= ? AND id < ? ORDER BY id LIMIT 1", span
        ).fetchone()
        if oldest is not None and oldest[0] < before_ms:
            tx.execute(
                "DELETE FROM messages WHERE written_ms < ? AND id IN "
                "(SELECT id FROM messages WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)",
                (before_ms, *span, limit),
            )


def _slot(message_id: int) -> int:
    return message_id >> OFFSET_BITS
