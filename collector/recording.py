"""A recording: what a collector would have published, flush by flush, in one file that can be played again.

The file is a SQLite database, because a flush is then written whole or not at all whatever happens, a recording that
was cut short plays up to its last flush, and any SQLite shell can look into it:
  facts(name, value)                             `format` and `identity`, which tells it from other recordings
  flushes(id, time_ms, rows)                     one line per flush, in order
  parts(flush, position, schema, value)          its telemetry batches, events and nodes
The value of a telemetry part is a telemetry message's (zstd frame around Arrow IPC), not yet split by partition;
events and nodes are JSON.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

from collector.outbox import OutboxError
from collector.publisher import Flush, joined
from collector.telemetry_rows import decode_rows
from models.events import WorkloadEvent
from models.inventory import Node
from models.telemetry import KEY_COLUMNS
from stream import schemas
from stream.dead_letters import BadMessageError
from stream.json_codec import decode_json, encode_json
from stream.telemetry_encoder import encode_telemetry

FORMAT = "sizewise-recording/1"
_APPLICATION_ID = 0x53495A45  # "SIZE": lets `file` and us tell a recording from any other database
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS flushes (id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, rows INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS parts (flush INTEGER NOT NULL, position INTEGER NOT NULL, schema TEXT NOT NULL,
  value BLOB NOT NULL, PRIMARY KEY (flush, position)) WITHOUT ROWID;
"""
_KINDS = {schema: kind for kind, schema in schemas.TELEMETRY.items()}


class RecordingError(OutboxError):
    """A recording that cannot be written or read. The message names the file and the mend."""


class RecordingSink:
    """Appends flushes to a recording; an existing one is continued."""

    def __init__(self, file: Path) -> None:
        """Raises RecordingError when the file cannot be written or is something else."""
        self._file = file
        self._db = _open(file, create=True)

    def put(self, flush: Flush, state: Mapping[str, bytes]) -> None:
        """Append one flush, whole or not at all. `state` is not recorded. Raises RecordingError."""
        if not flush:
            return
        parts = list(_parts(flush))
        try:
            with self._db:
                rows = sum(map(len, flush.batches))
                added = self._db.execute("INSERT INTO flushes (time_ms, rows) VALUES (?, ?)", (flush.time_ms, rows))
                self._db.executemany(
                    "INSERT INTO parts VALUES (?, ?, ?, ?)",
                    [(added.lastrowid, i, schema, value) for i, (schema, value) in enumerate(parts)],
                )
        except sqlite3.Error as error:
            raise RecordingError(f"recording {self._file}: {error}; is the disk full?") from error

    def __enter__(self) -> RecordingSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()


class Recording:
    """A recording to read. Flushes are numbered from 1 in the order they were written."""

    def __init__(self, file: Path) -> None:
        """Raises RecordingError when there is no recording."""
        if not file.is_file():
            raise RecordingError(f"there is no recording {file}; `sizewise record {file}` makes one")
        self._file, self._db = file, _open(file, create=False)

    def identity(self) -> str:
        """What tells this recording from another, wherever the file lies and however it has grown."""
        return str(self._db.execute("SELECT value FROM facts WHERE name = 'identity'").fetchone()[0])

    def __len__(self) -> int:
        """Flushes in it."""
        return int(self._db.execute("SELECT count(*) FROM flushes").fetchone()[0])

    def newest(self) -> int:
        """Number of the last flush; 0 when it is empty."""
        return int(self._db.execute("SELECT coalesce(max(id), 0) FROM flushes").fetchone()[0])

    def span_ms(self) -> tuple[int, int]:
        """Times of the first and the newest flush. Raises RecordingError when it is empty."""
        first, newest = self._db.execute("SELECT min(time_ms), max(time_ms) FROM flushes").fetchone()
        if first is None:
            raise RecordingError(f"recording {self._file} is empty")
        return int(first), int(newest)

    def times(self, after: int) -> list[tuple[int, int]]:
        """(number, time_ms) of the flushes after number `after`, in order."""
        return self._db.execute("SELECT id, time_ms FROM flushes WHERE id > ? ORDER BY id", (after,)).fetchall()

    def flush(self, number: int) -> Flush:
        """One flush as it was written. Raises RecordingError when a part cannot be read."""
        row = self._db.execute("SELECT time_ms FROM flushes WHERE id = ?", (number,)).fetchone()
        parts = self._db.execute("SELECT schema, value FROM parts WHERE flush = ? ORDER BY position", (number,))
        batches, events, nodes = [], [], []
        try:
            for schema, value in parts:
                if schema in _KINDS:
                    batches.append(decode_rows(value, _KINDS[schema]))
                elif schema == schemas.EVENT:
                    events.append(decode_json(value, WorkloadEvent))
                elif schema == schemas.NODE:
                    nodes.append(decode_json(value, Node))
        except (BadMessageError, ValueError) as error:
            raise RecordingError(f"recording {self._file}, flush {number}: {error}") from error
        return Flush(int(row[0]), batches, events, nodes)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _parts(flush: Flush) -> Iterator[tuple[str, bytes]]:
    for kind in KEY_COLUMNS:
        if len(batch := joined(kind, flush.batches)):
            yield schemas.TELEMETRY[kind], encode_telemetry(batch)
    yield from ((schemas.EVENT, encode_json(event)) for event in flush.events)
    yield from ((schemas.NODE, encode_json(node)) for node in flush.nodes)


def _open(file: Path, *, create: bool) -> sqlite3.Connection:
    """A rollback journal, not WAL: at rest a recording is one file that can be copied."""
    try:
        if create:
            file.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(file)
        known = db.execute("PRAGMA application_id").fetchone()[0]
        empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if known != _APPLICATION_ID and not (create and empty):
            db.close()
            raise RecordingError(f"{file} is no recording of sizewise; name another file")
        if create:
            db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            db.executescript(_TABLES)
            facts = [("format", FORMAT), ("identity", uuid.uuid4().hex)]
            with db:
                db.executemany("INSERT OR IGNORE INTO facts VALUES (?, ?)", facts)
    except (sqlite3.Error, OSError) as error:
        raise RecordingError(f"recording {file} cannot be opened: {error}") from error
    return db
