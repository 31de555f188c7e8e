"""How the SQLite log fails: soon, with a name, with a mend, and with nothing half done."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.contract import LogError, LogUnavailableError, Message
from stream.sqlite_log import SqliteLog
from stream.sqlite_log.schema import VERSION
from tests.stream.conformance.members import Member, kept_a_day, numbered, read, send, values


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    opened = SqliteLog(path, "normal")
    opened.ensure([kept_a_day("in", 1)])
    yield opened
    opened.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_writer_waits_no_longer_than_asked(log: SqliteLog, path: Path) -> None:
    """Another process holds the file: flush gives up after 50 ms, nothing was written, and appending again works."""
    writer = log.writer()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer.append("in", numbered(1))
    with pytest.raises(LogUnavailableError, match="another process kept it locked"):
        writer.flush(0.05)
    other.execute("ROLLBACK")
    other.close()
    writer.append("in", numbered(1))
    writer.flush(10)
    writer.close()
    assert values(read(log, "in")) == [b"0"]


def test_a_queue_that_nobody_flushes_writes_itself(log: SqliteLog) -> None:
    """20 messages of 1 MB: by the seventeenth or so they are being written, so that memory stays bounded."""
    writer = log.writer()
    for _ in range(20):
        writer.append("in", [Message("k", bytes(1_000_000))])
    assert len(read(log, "in")) >= 16
    writer.close()


def test_a_newer_format_is_not_touched(log: SqliteLog, path: Path) -> None:
    """The error names both formats and what to do."""
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version = {VERSION + 1}")
    other.close()
    with pytest.raises(LogError, match=rf"newer sizewise \(format {VERSION + 1}, this one knows {VERSION}\)"):
        SqliteLog(path)


def test_another_programs_file_is_not_touched(path: Path) -> None:
    """A SQLite file with other tables stays as it was, byte for byte."""
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(LogError, match="not a log of sizewise"):
        SqliteLog(path)
    assert path.read_bytes() == before


def test_a_file_of_another_kind_is_named(path: Path) -> None:
    """Text is no database."""
    path.write_text("dear diary, " * 1000)
    with pytest.raises(LogError, match="no SQLite database"):
        SqliteLog(path)


def test_a_damaged_file_is_named(path: Path) -> None:
    """Pages in the middle overwritten: reading them says so and what to do, instead of giving wrong messages."""
    log = SqliteLog(path, "normal")
    log.ensure([kept_a_day("in", 1)])
    send(log, "in", [Message("k", bytes(6000)) for _ in range(200)])
    log.close()
    with path.open("r+b") as file:
        file.seek(20 * 8192)
        file.write(b"\xff" * 100 * 8192)
    damaged = SqliteLog(path)
    with pytest.raises(LogError, match="the file is damaged; move it away"):
        read(damaged, "in")
    damaged.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="its folder cannot be made"):
        SqliteLog(tmp_path / "file" / "log.db")


def test_a_folder_that_may_not_be_written_is_named(open_folder: Path) -> None:
    """Another user, without rights to the folder, is told what is missing."""
    code = (
        "import os, sys; from pathlib import Path; from stream.sqlite_log import SqliteLog; from stream.contract import LogError\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: SqliteLog(Path(sys.argv[1]))\n"
        "except LogError as error: print(error)"
    )
    open_folder.chmod(0o555)
    said = subprocess.check_output([sys.executable, "-c", code, str(open_folder / "log.db")], text=True)
    assert "it cannot be opened; does the folder exist, and may this user write there?" in said


def test_a_full_disk_loses_nothing(log: SqliteLog, path: Path) -> None:
    """A process may write files up to 2 MB only. Its flush of 4 MB fails by name; what was there before is all there."""
    send(log, "in", numbered(3))
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from stream.sqlite_log import SqliteLog; from stream.contract import LogUnavailableError, Message\n"
        "log = SqliteLog(Path(sys.argv[1])); writer = log.writer()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))\n"
        "writer.append('in', [Message('k', bytes(1_000_000)) for _ in range(4)])\n"
        "try: writer.flush(10)\n"
        "except LogUnavailableError as error: print(error)"
    )
    said = subprocess.check_output([sys.executable, "-c", code, str(path)], text=True)
    assert "the disk" in said
    assert values(read(log, "in")) == [b"0", b"1", b"2"]
    send(log, "in", numbered(1, start=3))
    assert values(read(log, "in")) == [b"0", b"1", b"2", b"3"]


def test_many_processes_may_make_the_file_at_once(path: Path) -> None:
    """Ten open a log that is not there yet and create the same stream: one file, one stream, no error."""
    code = (
        "import sys; from pathlib import Path; from stream.sqlite_log import SqliteLog\n"
        "from tests.stream.conformance.members import kept_a_day\n"
        "log = SqliteLog(Path(sys.argv[1])); log.ensure([kept_a_day('in', 3)]); print(log.partitions('in'))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(10)
    ]
    assert [process.communicate()[0] for process in processes] == ["3\n"] * 10


def test_many_threads_may_ask_at_once(log: SqliteLog) -> None:
    """The log itself is shared by the threads of a process."""
    failures: list[Exception] = []

    def ask() -> None:
        try:
            for _ in range(50):
                log.offsets("in")
                log.partitions("in")
                log.committed("g", "in")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_members_leave_no_files_behind(log: SqliteLog, path: Path) -> None:
    """A member's pulse is a file while it lives, and none after it left."""
    member = Member(log, "g", "in")
    member.poll()
    folder = Path(f"{path}-members")
    assert len(list(folder.iterdir())) == 1
    member.subscription.close()
    assert list(folder.iterdir()) == []
