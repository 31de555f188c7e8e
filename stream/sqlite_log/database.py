"""Connections to the log's file, transactions on it, and sqlite3's errors as ours."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from stream.contract import LogError, LogUnavailableError
from stream.sqlite_log.schema import APPLICATION_ID, CREATE, VERSION

BUSY_S = 10.0
"""How long a transaction waits for another process's. The longest honest one writes some tens of MB: under a second."""
PAGE_BYTES = 8192
"""Writing and reading a message of 8 KiB takes 22 us of CPU; with pages of 4 KiB it took 31, with 16 KiB 30 or more."""
CHECKPOINT_PAGES = 2000
"""The write-ahead log goes back into the file every 16 MiB, by whoever commits then."""

Synchronous = Literal["full", "normal"]


class Database:
    """One connection. Not shared between threads at one time."""

    def __init__(self, path: Path, synchronous: Synchronous = "full") -> None:
        self.path = path
        with our_errors(path):
            self._connection = _connect(path, synchronous)

    @contextmanager
    def write(self, timeout_s: float = BUSY_S) -> Iterator[sqlite3.Connection]:
        """A transaction that is written whole, or not at all when anything raises.

        Raises LogUnavailableError when other writers kept it waiting for `timeout_s`.
        """
        with our_errors(self.path):
            self._connection.execute(f"PRAGMA busy_timeout = {max(0, int(timeout_s * 1000))}")
            self._connection.execute("BEGIN IMMEDIATE")
            with self._ending() as connection:
                yield connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One state of the file, whatever others write meanwhile."""
        with our_errors(self.path):
            self._connection.execute("BEGIN")
            with self._ending() as connection:
                yield connection

    def data_version(self) -> int:
        """Differs from the last call when another connection has written."""
        with our_errors(self.path):
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _ending(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


@contextmanager
def our_errors(path: Path) -> Iterator[None]:
    """sqlite3's errors as the contract's, with the mend."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or "SQLITE_ERROR"
        for prefix, (kind, mend) in _ERRORS.items():
            if name.startswith(prefix):
                raise kind(f"log {path}: {mend} ({name}: {error})") from error
        raise LogError(f"log {path}: {name}: {error}") from error


_ERRORS: dict[str, tuple[type[LogError], str]] = {
    "SQLITE_BUSY": (LogUnavailableError, "another process kept it locked; try again, and look for one that hangs"),
    "SQLITE_LOCKED": (LogUnavailableError, "another process kept it locked; try again, and look for one that hangs"),
    "SQLITE_FULL": (LogUnavailableError, "the disk is full; make room and try again"),
    "SQLITE_IOERR": (LogUnavailableError, "the disk refused; look at its space and health, then try again"),
    "SQLITE_READONLY": (LogError, "it may not be written; give this user the right to write to file and folder"),
    "SQLITE_CANTOPEN": (LogError, "it cannot be opened; does the folder exist, and may this user write there?"),
    "SQLITE_CORRUPT": (LogError, "the file is damaged; move it away, and a new one is started"),
    "SQLITE_NOTADB": (LogError, "the file is no SQLite database; name another file, or move this one away"),
}


def _connect(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LogError(
            f"log {path}: its folder cannot be made: {error.strerror}; name another with log.location"
        ) from error
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path, synchronous)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, synchronous: Synchronous) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    _refuse_foreign(connection, path)
    _enter_wal(connection)
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {4 * CHECKPOINT_PAGES * PAGE_BYTES}")
    if _pragma(connection, "user_version") == 0:
        _create(connection)


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN")  # one view of all three: another process may be making the log right now
    version, application = _pragma(connection, "user_version"), _pragma(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    connection.execute("COMMIT")
    if application not in (0, APPLICATION_ID) or (application == 0 and tables):
        raise LogError(f"log {path}: this SQLite file is not a log of sizewise; name another with log.location")
    if version > VERSION:
        raise LogError(
            f"log {path}: written by a newer sizewise (format {version}, this one knows {VERSION}); install that one, "
            "or start a new log with log.location"
        )


def _enter_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for the lock that this switch needs when two processes open a new file at once."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if _pragma(connection, "user_version") == 0:  # nobody else made it while this one waited
        for statement in CREATE:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
