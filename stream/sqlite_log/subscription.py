"""One member of a group, on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from stream.contract import FencedError, Message, PartitionListener, Record
from stream.routing import check_sizes
from stream.sqlite_log.appending import append
from stream.sqlite_log.catalogue import StreamRow, find_stream
from stream.sqlite_log.cursor import Cursor, poll_until
from stream.sqlite_log.database import Database
from stream.sqlite_log.seat import Seat


class SqliteSubscription:
    """Implements `stream.contract.Subscription`. It has a connection of its own and closes it."""

    def __init__(
        self,
        database: Database,
        stream: StreamRow,
        seat: Seat,
        listener: PartitionListener,
        clock_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._listener = listener
        self._clock_ms = clock_ms
        self._seat = seat
        self._cursor = Cursor(stream, {})
        self._seen_version: int | None = None
        self._settled = False
        self._closed = False

    def poll(self, timeout_s: float, max_records: int = 500) -> Sequence[Record]:
        return poll_until(lambda: self._step(max_records), timeout_s)

    def assignment(self) -> frozenset[int]:
        return frozenset(self._cursor.positions)

    def commit(self, offsets: Mapping[int, int], appends: Mapping[str, Sequence[Message]] | None = None) -> None:
        try:
            with self._database.write() as tx:
                self._seat.require(tx, offsets)
                for name, messages in (appends or {}).items():
                    stream = find_stream(tx, name)
                    check_sizes(name, messages, stream.max_message_bytes)
                    append(tx, stream, messages, self._clock_ms())
                tx.executemany(
                    "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)",
                    [(self._seat.group_id, partition, offset) for partition, offset in offsets.items()],
                )
        except FencedError:
            self._lose(self._seat.leases())
            raise
        self._seen_version = None  # what this connection writes itself does not show in data_version

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._lose(self._seat.leases())
            if self._cursor.positions:
                self._listener.revoked(sorted(self._cursor.positions))
        finally:
            self._cursor.positions.clear()
            try:
                self._seat.leave()
            finally:
                self._database.close()

    def _step(self, max_records: int) -> list[Record]:
        version = self._database.data_version()
        if not self._settled or self._seat.unsettled(version != self._seen_version):
            self._settle()
        if version == self._seen_version:
            return []
        with self._database.read() as tx:
            records = self._cursor.fetch(tx, max_records)
        self._seen_version = None if records else version
        return records

    def _settle(self) -> None:
        """Tell the listener what came and went. A listener that raises is told again at the next poll."""
        self._settled = False
        claim = self._seat.claim()
        self._lose(claim.kept)
        self._give_up(claim.surplus)
        self._take((claim.kept | claim.taken) - claim.surplus - self.assignment())
        self._settled = True
        self._seen_version = None

    def _lose(self, leases: frozenset[int]) -> None:
        lost = sorted(self.assignment() - leases)
        self._forget(lost)
        if lost:
            self._listener.lost(lost)

    def _give_up(self, partitions: frozenset[int]) -> None:
        if owned := sorted(partitions & self.assignment()):
            self._listener.revoked(owned)
            self._forget(owned)
        if partitions:
            self._seat.release(partitions)

    def _take(self, partitions: frozenset[int]) -> None:
        new = sorted(partitions)
        if not new:
            return
        starts = self._listener.assigned(new)
        with self._database.read() as tx:
            rows = tx.execute("SELECT partition, next_offset FROM offsets WHERE group_id = ?", (self._seat.group_id,))
            committed: dict[int, int] = dict(rows)
        for partition in new:
            self._cursor.positions[partition] = starts.get(partition, committed.get(partition, 0))

    def _forget(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._cursor.positions.pop(partition, None)
