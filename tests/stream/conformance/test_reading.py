"""Reading without a group."""

from __future__ import annotations

import pytest

from stream.contract import EventLog, LogError, Record
from tests.stream.conformance.members import kept_a_day, numbered, read, send, values


def test_an_empty_stream_has_been_read(log: EventLog) -> None:
    """Nothing existed, so everything has been returned."""
    log.ensure([kept_a_day("in")])
    reader = log.reader("in")
    assert reader.caught_up()
    assert list(reader.poll(0.2)) == []
    reader.close()


def test_caught_up_means_what_existed_at_the_start(log: EventLog) -> None:
    """Five messages at the start: not before the fifth, and messages that come later do not matter."""
    log.ensure([kept_a_day("in", 2)])
    send(log, "in", numbered(5))
    reader = log.reader("in")
    send(log, "in", numbered(5, start=5))
    assert not reader.caught_up()
    got: list[Record] = []
    while not reader.caught_up():
        got += reader.poll(0.2, max_records=1)
    assert {b"0", b"1", b"2", b"3", b"4"} <= set(values(got))
    reader.close()


def test_a_reader_follows(log: EventLog) -> None:
    """What is appended after it was opened comes too."""
    log.ensure([kept_a_day("in", 2)])
    reader = log.reader("in")
    send(log, "in", numbered(3))
    got: list[Record] = []
    while len(got) < 3:
        got += reader.poll(1)
    assert sorted(values(got), key=str) == [b"0", b"1", b"2"]
    reader.close()


def test_start_names_partitions_and_offsets(log: EventLog) -> None:
    """Partition 1 from offset 2, partition 2 from its beginning, and nothing of partition 0."""
    log.ensure([kept_a_day("in", 3)])
    for partition in range(3):
        send(log, "in", numbered(4, partition))
    got = read(log, "in", {1: 2, 2: 0})
    assert sorted((r.partition, r.offset) for r in got) == [(1, 2), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3)]


def test_a_start_at_the_end_has_been_read(log: EventLog) -> None:
    """An offset that is the next to be written leaves nothing to wait for."""
    log.ensure([kept_a_day("in", 1)])
    send(log, "in", numbered(2))
    reader = log.reader("in", {0: 2})
    assert reader.caught_up()
    send(log, "in", numbered(1, start=2))
    got: list[Record] = []
    while not got:
        got += reader.poll(1)
    assert values(got) == [b"2"]
    reader.close()


def test_a_partition_that_is_not_there_is_named(log: EventLog) -> None:
    """Partition 4 of four."""
    log.ensure([kept_a_day("in", 4)])
    with pytest.raises(LogError, match="4"):
        log.reader("in", {4: 0})


def test_a_poll_returns_no_more_than_asked(log: EventLog) -> None:
    """Three at a time until all ten are there, in order."""
    log.ensure([kept_a_day("in", 1)])
    send(log, "in", numbered(10))
    reader = log.reader("in")
    got: list[Record] = []
    while not reader.caught_up():
        records = reader.poll(1, max_records=3)
        assert len(records) <= 3
        got += records
    assert values(got) == [str(i).encode() for i in range(10)]
    reader.close()


def test_two_readers_do_not_disturb_each_other(log: EventLog) -> None:
    """Both get everything: a reader has no group."""
    log.ensure([kept_a_day("in", 2)])
    send(log, "in", numbered(6))
    assert len(read(log, "in")) == len(read(log, "in")) == 6
