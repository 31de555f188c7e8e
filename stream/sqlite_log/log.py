"""The way into a log on SQLite."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from stream.contract import PartitionListener, Reader, StreamSpec, Subscription, Writer
from stream.sqlite_log.catalogue import StreamRow, ends, ensure_stream, find_stream, starts
from stream.sqlite_log.database import Database, Synchronous
from stream.sqlite_log.reader import SqliteReader
from stream.sqlite_log.seat import Seat
from stream.sqlite_log.subscription import SqliteSubscription
from stream.sqlite_log.writer import SqliteWriter

T = TypeVar("T")

SESSION_S = 30.0
"""A member that neither polls nor commits for so long is taken for dead: the contract's number."""


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class SqliteLog:
    """Implements `stream.contract.EventLog`. Writers, readers and subscriptions have connections of their own."""

    def __init__(
        self,
        path: Path,
        synchronous: Synchronous = "full",
        clock_ms: Callable[[], int] = wall_clock_ms,
        session_s: float = SESSION_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens the file, or makes it. Raises LogError when it is no log, is damaged, is newer or may not be written."""
        self._path = path
        self._synchronous = synchronous
        self._clock_ms = clock_ms
        self._session_s = session_s
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._database = Database(path, synchronous)

    def ensure(self, specs: Sequence[StreamSpec]) -> None:
        with self._lock, self._database.write() as tx:
            for spec in specs:
                ensure_stream(tx, spec)

    def partitions(self, stream: str) -> int:
        return self._find(stream).partitions

    def writer(self) -> Writer:
        return self._on_new_connection(lambda database: SqliteWriter(database, self._find, self._clock_ms))

    def reader(self, stream: str, start: Mapping[int, int] | None = None) -> Reader:
        row = self._find(stream)
        return self._on_new_connection(lambda database: SqliteReader(database, row, start))

    def subscribe(self, group: str, stream: str, listener: PartitionListener) -> Subscription:
        row = self._find(stream)

        def make(database: Database) -> SqliteSubscription:
            seat = Seat(database, group, row, self._session_s, self._monotonic_s)
            return SqliteSubscription(database, row, seat, listener, self._clock_ms)

        return self._on_new_connection(make)

    def offsets(self, stream: str) -> Mapping[int, tuple[int, int]]:
        with self._lock, self._database.read() as tx:
            row = find_stream(tx, stream)
            firsts = dict(starts(tx, row))
            return {partition: (firsts.get(partition, end), end) for partition, end in ends(tx, row).items()}

    def committed(self, group: str, stream: str) -> Mapping[int, int]:
        with self._lock, self._database.read() as tx:
            rows = tx.execute(
                "SELECT partition, next_offset FROM offsets JOIN groups ON groups.id = group_id "
                "WHERE name = ? AND stream_id = ?",
                (group, find_stream(tx, stream).id),
            )
            return dict(rows)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _find(self, stream: str) -> StreamRow:
        with self._lock, self._database.read() as tx:
            return find_stream(tx, stream)

    def _on_new_connection(self, make: Callable[[Database], T]) -> T:
        database = Database(self._path, self._synchronous)
        try:
            return make(database)
        except BaseException:
            database.close()
            raise
