"""Compaction and retention: the file holds what must be kept and little more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.contract import Message, StreamSpec
from stream.sqlite_log import SqliteLog
from stream.sqlite_log.appending import EXTRA_DELETIONS, TOMBSTONE_MS
from tests.stream.conformance.members import DAY_MS, kept_a_day, numbered, read, send, values


class Clock:
    """Wall-clock time that a test sets."""

    def __init__(self) -> None:
        self.now_ms = 1_760_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Callable[[], int]) -> Iterator[SqliteLog]:
    opened = SqliteLog(tmp_path / "log.db", "normal", clock_ms=clock)
    yield opened
    opened.close()


def test_a_compacted_stream_holds_one_message_per_key(log: SqliteLog) -> None:
    """100 versions of two keys leave two messages, and the offsets show that 200 were written."""
    log.ensure([StreamSpec("state", 1, compacted=True)])
    for version in range(100):
        send(log, "state", [Message("a", f"a{version}".encode()), Message("b", f"b{version}".encode())])
    assert values(read(log, "state")) == [b"a99", b"b99"]
    assert log.offsets("state") == {0: (198, 200)}


@settings(max_examples=50)
@given(
    writes=st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.binary(max_size=2)), max_size=6), max_size=6
    )
)
def test_compaction_is_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, writes: list[list[tuple[str, bytes | None]]]
) -> None:
    """Whatever is written, in whatever batches, with repeats inside a batch: what is read is the newest of each key, in
    the order in which the newest were written."""
    log = SqliteLog(tmp_path_factory.mktemp("log") / "log.db", "normal")
    log.ensure([StreamSpec("state", 1, compacted=True)])
    expected: dict[str, bytes | None] = {}
    for batch in writes:
        send(log, "state", [Message(key, value) for key, value in batch])
        for key, value in batch:
            expected.pop(key, None)
            expected[key] = value
    assert [(record.key, record.value) for record in read(log, "state")] == list(expected.items())
    log.close()


def test_the_file_of_a_compacted_stream_stops_growing(log: SqliteLog, tmp_path: Path) -> None:
    """Rewriting ten slabs of 100 kB a hundred times takes 100 MB of writing; the file stays below 5 MB."""
    log.ensure([StreamSpec("state", 1, compacted=True)])
    for version in range(100):
        send(log, "state", [Message(f"slab/{i}", bytes([version]) * 100_000) for i in range(10)])
    log.close()
    assert (tmp_path / "log.db").stat().st_size < 5_000_000


def test_a_tombstone_is_kept_for_a_day(log: SqliteLog, clock: Clock) -> None:
    """It is there for a reader that starts within a day; the first writer after that clears it away."""
    log.ensure([StreamSpec("state", 1, compacted=True)])
    send(log, "state", [Message("a", b"x"), Message("a", None)])
    clock.now_ms += TOMBSTONE_MS
    send(log, "state", [Message("b", b"y")])
    assert [(record.key, record.value) for record in read(log, "state")] == [("a", None), ("b", b"y")]
    clock.now_ms += 1
    send(log, "state", [Message("b", b"z")])
    assert [(record.key, record.value) for record in read(log, "state")] == [("b", b"z")]


def test_a_key_that_comes_back_is_no_tombstone(log: SqliteLog, clock: Clock) -> None:
    """Deleted and written again: a day later it is still there."""
    log.ensure([StreamSpec("state", 1, compacted=True)])
    send(log, "state", [Message("a", None), Message("a", b"again")])
    clock.now_ms += 2 * TOMBSTONE_MS
    send(log, "state", [Message("b", b"y")])
    assert values(read(log, "state")) == [b"again", b"y"]


def test_messages_expire_by_the_time_of_writing(log: SqliteLog, clock: Clock) -> None:
    """A recording of last year stays for its day. A day and a millisecond after writing, the next writer drops it."""
    log.ensure([kept_a_day("in", 1)])
    send(log, "in", [Message("k", b"old", time_ms=clock.now_ms - 365 * DAY_MS)])
    clock.now_ms += DAY_MS
    send(log, "in", [Message("k", b"new")])
    assert values(read(log, "in")) == [b"old", b"new"]
    clock.now_ms += 1
    send(log, "in", [Message("k", b"newer")])
    assert values(read(log, "in")) == [b"new", b"newer"]
    assert log.offsets("in") == {0: (1, 3)}


def test_clearing_comes_in_small_steps(log: SqliteLog, clock: Clock) -> None:
    """1,000 messages expire at once: a writer of one message drops 65 of them, and so do those after it."""
    log.ensure([kept_a_day("in", 1)])
    send(log, "in", numbered(1000))
    clock.now_ms += 2 * DAY_MS
    for step in range(1, 4):
        send(log, "in", numbered(1))
        assert log.offsets("in")[0][0] == step * (1 + EXTRA_DELETIONS)


def test_a_group_that_was_away_goes_on_with_what_is_left(log: SqliteLog, clock: Clock) -> None:
    """Its offset has expired: reading goes on with the first message that is kept."""
    log.ensure([kept_a_day("in", 1)])
    send(log, "in", numbered(3))
    clock.now_ms += 2 * DAY_MS
    send(log, "in", numbered(1, start=3))
    assert values(read(log, "in", {0: 1})) == [b"3"]
