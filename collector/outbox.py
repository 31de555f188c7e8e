"""The outbox: messages on disk between the collector and the log, with what the collector must remember.

One transaction holds a flush and the state that belongs to it, so a collector killed anywhere goes on from a point that
is true: what is in the outbox was counted, what is not will be counted by the next read. Sequence numbers are given
here and never reused, so a message that is sent twice carries the same number twice and its reader drops the repeat.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import msgspec

from models.metrics import Meter
from stream.contract import Message
from stream.schemas import PRODUCER, SEQUENCE

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
  sequence INTEGER PRIMARY KEY, stream TEXT NOT NULL, partition INTEGER, key TEXT NOT NULL, value BLOB,
  headers BLOB NOT NULL, time_ms INTEGER NOT NULL, bytes INTEGER NOT NULL);
"""
_OVERHEAD_BYTES = 64  # row header, sequence, sizes: what SQLite adds to a message


class OutboxError(Exception):
    """The outbox cannot be used. The message names the file and the mend."""


@dataclass(frozen=True, slots=True)
class Addressed:
    """A message and the stream it goes to."""

    stream: str
    message: Message


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that the log has not confirmed."""

    sequence: int
    stream: str
    message: Message


class Outbox:
    """One file, one process. Its methods may be called from any thread."""

    def __init__(self, file: Path, max_bytes: int, meter: Meter, producer: str | None = None) -> None:
        """Open or create the file. `producer` names the producer of a new file (a random name when None).

        Raises OutboxError when another process has it, it is no outbox, or belongs to another producer.
        """
        self._file, self._max_bytes, self._meter = file, max_bytes, meter
        self._lock = threading.Lock()
        self.arrived = threading.Event()
        """Set by each `put`; who waits for messages clears it before looking."""
        self._newest = self._count = self._bytes = 0
        self._db = self._connect(file)
        self.producer = self._producer(producer)
        with self._transaction() as db:
            count, total, newest = db.execute("SELECT count(*), total(bytes), max(sequence) FROM messages").fetchone()
            self._count, self._bytes = int(count), int(total)
            self._newest = max(newest or 0, int(self._fact("sequence") or 0))

    @property
    def size_bytes(self) -> int:
        """Bytes that wait for the log."""
        return self._bytes

    def __len__(self) -> int:
        """Messages that wait for the log."""
        return self._count

    def put(self, messages: Sequence[Addressed], state: Mapping[str, bytes] | None = None) -> int:
        """Add messages in order and replace the named states, all or nothing. Returns how many old messages had to
        make room. Raises OutboxError when the disk refuses: nothing was added."""
        with self._transaction() as db:
            rows = [self._row(self._newest + i, item) for i, item in enumerate(messages, start=1)]
            db.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", list((state or {}).items()))
            self._newest += len(rows)
            self._set_fact("sequence", str(self._newest))
            size = self._bytes + sum(row[-1] for row in rows)
            dropped, freed = self._make_room(size)
            self._count, self._bytes = self._count + len(rows) - dropped, size - freed
        if dropped:
            self._meter.count("sizewise_outbox_dropped_messages_total", dropped)
        self.arrived.set()
        return dropped

    def oldest(self, max_messages: int, max_bytes: int) -> list[Waiting]:
        """The oldest messages in order, at least one when there is one, up to both bounds."""
        waiting: list[Waiting] = []
        total = 0
        if not self._count:
            return waiting
        with self._transaction() as db:
            for row in db.execute("SELECT * FROM messages ORDER BY sequence LIMIT ?", (max_messages,)):
                total += row[-1]
                if waiting and total > max_bytes:
                    break
                waiting.append(_waiting(row))
        return waiting

    def confirm(self, sequence: int) -> None:
        """The log holds every message up to this one: forget them."""
        self._forget("sequence <= ?", (sequence,))

    def discard(self, sequence: int) -> None:
        """This message can never be sent. Forget and count it as dropped."""
        if self._forget("sequence = ?", (sequence,)):
            self._meter.count("sizewise_outbox_dropped_messages_total")

    def state(self, name: str) -> bytes | None:
        """What `put` saved under this name, from the newest transaction."""
        with self._transaction() as db:
            row = db.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None

    def fact(self, name: str) -> str | None:
        """A small remembered value, such as the number of partitions."""
        with self._transaction():
            return self._fact(name)

    def set_fact(self, name: str, value: str) -> None:
        with self._transaction():
            self._set_fact(name, value)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def __enter__(self) -> Outbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self, file: Path) -> sqlite3.Connection:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(file, timeout=1.0, isolation_level=None, check_same_thread=False)
            # Gives an outage's pages back as they are delivered. Has an effect only before anything else is written.
            db.execute("PRAGMA auto_vacuum = FULL")
            # One owner: a second process would give the same numbers to other messages.
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            # FULL, because a power cut that rolled a flush back would give its numbers, already seen, to new messages.
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA cache_size = -512")  # 512 KiB: rows are written once and read once
            db.execute("BEGIN EXCLUSIVE")
            for statement in _TABLES.split(";"):
                db.execute(statement)
            db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            mend = "stop the other collector, or name another file with collector.outbox"
            raise OutboxError(f"outbox {file} cannot be opened: {error}; {mend}") from error
        return db

    def _producer(self, wanted: str | None) -> str:
        with self._transaction():
            known = self._fact("producer")
            if known is None:
                known = wanted or uuid.uuid4().hex
                self._set_fact("producer", known)
        if wanted not in (None, known):
            raise OutboxError(f"outbox {self._file} belongs to producer {known!r}, not {wanted!r}; use another file")
        return known

    def _row(self, sequence: int, item: Addressed) -> tuple[int, str, int | None, str, bytes | None, bytes, int, int]:
        message = item.message
        headers = msgspec.json.encode(message.headers)
        size = len(message.value or b"") + len(headers) + len(message.key) + _OVERHEAD_BYTES
        return sequence, item.stream, message.partition, message.key, message.value, headers, message.time_ms, size

    def _make_room(self, size: int) -> tuple[int, int]:
        """Delete the oldest until `size` fits. Returns (messages, bytes) deleted."""
        if size <= self._max_bytes:
            return 0, 0
        dropped = freed = last = 0
        for sequence, length in self._db.execute("SELECT sequence, bytes FROM messages ORDER BY sequence"):
            if size - freed <= self._max_bytes:
                break
            dropped, freed, last = dropped + 1, freed + length, sequence
        self._db.execute("DELETE FROM messages WHERE sequence <= ?", (last,))
        return dropped, freed

    def _forget(self, where: str, values: tuple[int]) -> int:
        with self._transaction() as db:
            count, size = db.execute(f"SELECT count(*), total(bytes) FROM messages WHERE {where}", values).fetchone()  # noqa: S608  # the clause is a literal of this class
            db.execute(f"DELETE FROM messages WHERE {where}", values)  # noqa: S608  # as above
            self._count, self._bytes = self._count - count, self._bytes - int(size)
        return int(count)

    def _fact(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def _set_fact(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def _report(self) -> None:
        self._meter.gauge("sizewise_outbox_messages", self._count)
        self._meter.gauge("sizewise_outbox_bytes", self._bytes)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """What is known of the file (newest number, messages, bytes) changes with it: under one lock, or not at all."""
        with self._lock:
            before = self._newest, self._count, self._bytes
            try:
                self._db.execute("BEGIN")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                self._newest, self._count, self._bytes = before
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise OutboxError(f"outbox {self._file}: {error}; is the disk full or gone?") from error
                raise
            finally:
                self._report()


def stamped(waiting: Waiting, producer: str) -> Message:
    """The message as it goes out: with its producer and number, by which a reader drops a repeat."""
    headers = {**waiting.message.headers, PRODUCER: producer, SEQUENCE: str(waiting.sequence)}
    return replace(waiting.message, headers=headers)


def _waiting(row: tuple[int, str, int | None, str, bytes | None, bytes, int, int]) -> Waiting:
    sequence, stream, partition, key, value, headers, time_ms, _ = row
    known = msgspec.json.decode(headers, type=dict[str, str])
    return Waiting(sequence, stream, Message(key, value, known, time_ms, partition))
