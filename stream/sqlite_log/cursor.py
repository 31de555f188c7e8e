"""Where a reader stands in each partition of a stream, and the records from there on."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

import msgspec

from stream.contract import Record
from stream.sqlite_log.catalogue import StreamRow, ends, offset_of

MAX_BYTES = 16 << 20
"""A poll stops after this much, so that 500 slabs of 2 MB do not come into memory at once."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.050
"""Between two looks at the file: a message is seen after 50 ms at most, and an idle reader takes 0.2 % of a core."""

_HEADERS = msgspec.json.Decoder(dict[str, str])


class Cursor:
    """Positions by partition; partitions may be added and dropped."""

    def __init__(self, stream: StreamRow, positions: dict[int, int]) -> None:
        self.stream = stream
        self.positions = positions
        self._turn = 0

    def fetch(self, tx: sqlite3.Connection, max_records: int) -> list[Record]:
        """The next records. Each call begins with another partition, so that a busy one does not hide the others."""
        next_offsets = ends(tx, self.stream)
        behind = [p for p, position in self.positions.items() if position < next_offsets[p]]
        if not behind:
            return []
        self._turn += 1
        first = self._turn % len(behind)
        records: list[Record] = []
        room = MAX_BYTES
        for partition in behind[first:] + behind[:first]:
            found, room = self._read(tx, partition, max_records - len(records), room)
            records += found
            if len(records) == max_records or room <= 0:
                self._advance(partition, found, 0)
                break
            self._advance(partition, found, next_offsets[partition])
        return records

    def _read(self, tx: sqlite3.Connection, partition: int, limit: int, room: int) -> tuple[list[Record], int]:
        """Up to `limit` records, ending after the one that fills `room`; and the room that is left."""
        records = []
        rows = tx.execute(
            "SELECT id, key, value, headers, time_ms FROM messages WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
            (
                self.stream.message_id(partition, self.positions[partition]),
                self.stream.message_id(partition + 1, 0),
                limit,
            ),
        )
        for message_id, key, value, headers, time_ms in rows:
            offset = offset_of(message_id)
            records.append(Record(self.stream.name, partition, offset, key, value, _HEADERS.decode(headers), time_ms))
            room -= len(value or b"")
            if room <= 0:
                break
        rows.close()
        return records, room

    def _advance(self, partition: int, found: list[Record], end: int) -> None:
        """Go behind what was found, and to `end` where all was found: compaction may have emptied the tail."""
        after = found[-1].offset + 1 if found else self.positions[partition]
        self.positions[partition] = max(after, end)


def poll_until(step: Callable[[], list[Record]], timeout_s: float) -> list[Record]:
    """What `step` finds, tried again with growing pauses until it finds something or time is up."""
    deadline = time.monotonic() + timeout_s
    pause = FIRST_PAUSE_S
    while True:
        found = step()
        left = deadline - time.monotonic()
        if found or left <= 0:
            return found
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE_S)
