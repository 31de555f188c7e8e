"""Reading without a group, on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stream.contract import LogError, Record
from stream.sqlite_log.catalogue import StreamRow, ends
from stream.sqlite_log.cursor import Cursor, poll_until
from stream.sqlite_log.database import Database


class SqliteReader:
    """Implements `stream.contract.Reader`. It has a connection of its own and closes it."""

    def __init__(self, database: Database, stream: StreamRow, start: Mapping[int, int] | None) -> None:
        self._database = database
        positions = dict.fromkeys(range(stream.partitions), 0) if start is None else dict(start)
        if unknown := sorted(positions.keys() - set(range(stream.partitions))):
            raise LogError(f"{stream.name} has partitions 0 to {stream.partitions - 1}; {unknown} were asked for")
        self._cursor = Cursor(stream, positions)
        self._seen_version: int | None = None
        with database.read() as tx:
            self._goals = {p: end for p, end in ends(tx, stream).items() if p in positions}

    def poll(self, timeout_s: float, max_records: int = 500) -> Sequence[Record]:
        return poll_until(lambda: self._step(max_records), timeout_s)

    def caught_up(self) -> bool:
        return all(self._cursor.positions[partition] >= goal for partition, goal in self._goals.items())

    def close(self) -> None:
        self._database.close()

    def _step(self, max_records: int) -> list[Record]:
        version = self._database.data_version()
        if version == self._seen_version:
            return []
        with self._database.read() as tx:
            records = self._cursor.fetch(tx, max_records)
        self._seen_version = None if records else version
        return records
