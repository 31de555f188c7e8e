"""Appending, on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stream.contract import Message
from stream.routing import check_sizes, message_bytes, partition_for
from stream.sqlite_log.appending import append
from stream.sqlite_log.catalogue import StreamRow
from stream.sqlite_log.database import BUSY_S, Database

QUEUE_BYTES = 16 << 20
"""`append` writes by itself when this much waits, so that a caller who never flushes stays small."""


class SqliteWriter:
    """Implements `stream.contract.Writer`. One transaction a flush. It has a connection of its own and closes it."""

    def __init__(
        self, database: Database, find_stream: Callable[[str], StreamRow], clock_ms: Callable[[], int]
    ) -> None:
        self._database = database
        self._find_stream = find_stream
        self._clock_ms = clock_ms
        self._queue: list[tuple[StreamRow, Sequence[Message]]] = []
        self._queued_bytes = 0

    def append(self, stream: str, messages: Sequence[Message]) -> None:
        row = self._find_stream(stream)
        check_sizes(stream, messages, row.max_message_bytes)
        for message in messages:
            partition_for(stream, message, row.partitions)
        self._queue.append((row, list(messages)))
        self._queued_bytes += sum(map(message_bytes, messages))
        if self._queued_bytes > QUEUE_BYTES:
            self.flush(BUSY_S)

    def flush(self, timeout_s: float) -> None:
        """On failure nothing was written and the queue is empty: the caller appends again."""
        queue, self._queue, self._queued_bytes = self._queue, [], 0
        if not queue:
            return
        with self._database.write(timeout_s) as tx:
            now_ms = self._clock_ms()
            for stream, messages in queue:
                append(tx, stream, messages, now_ms)

    def close(self) -> None:
        self._database.close()
