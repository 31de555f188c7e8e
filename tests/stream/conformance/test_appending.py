"""Appending: what is written, where it goes, in which order."""

from __future__ import annotations

import threading
import zlib

import pytest

from stream.contract import EventLog, LogError, Message, MessageTooLargeError, StreamSpec
from stream.settings import LogSettings
from tests.stream.conformance.member_process import MemberProcess
from tests.stream.conformance.members import DAY_MS, kept_a_day, numbered, read, send, values


def test_a_message_comes_back_as_it_was(log: EventLog) -> None:
    """Key, value, headers and time, in any script and with any byte."""
    log.ensure([kept_a_day("in", 1)])
    sent = Message("c/ns/Größe", bytes(range(256)), {"schema": "x/1", "détail": "héhé"}, 1_760_000_000_123)
    send(log, "in", [sent])
    [got] = read(log, "in")
    assert (got.stream, got.partition, got.offset) == ("in", 0, 0)
    assert (got.key, got.value, dict(got.headers), got.time_ms) == (sent.key, sent.value, sent.headers, sent.time_ms)


def test_empty_is_not_missing(log: EventLog) -> None:
    """No bytes stay no bytes, a tombstone stays None, no key stays the empty key."""
    log.ensure([StreamSpec("state", 1, compacted=True)])
    send(log, "state", [Message("", b""), Message("a", None)])
    assert [(record.key, record.value) for record in read(log, "state")] == [("", b""), ("a", None)]


def test_a_key_goes_to_the_partition_of_its_crc(log: EventLog) -> None:
    """CRC-32 modulo partitions on every log, so that a workload is in the same partition of each stream and log."""
    log.ensure([kept_a_day("in", 4)])
    send(log, "in", numbered(40))
    assert {r.key: r.partition for r in read(log, "in")} == {
        f"key-{i}": zlib.crc32(f"key-{i}".encode()) % 4 for i in range(40)
    }


def test_a_named_partition_wins_over_the_key(log: EventLog) -> None:
    """One key, three partitions, as asked."""
    log.ensure([kept_a_day("in", 3)])
    send(log, "in", [Message("k", str(p).encode(), partition=p) for p in (2, 0, 1)])
    assert {r.partition: r.value for r in read(log, "in")} == {0: b"0", 1: b"1", 2: b"2"}


def test_a_partition_that_is_not_there_is_refused(log: EventLog) -> None:
    """Partition 3 of three: nothing is queued."""
    log.ensure([kept_a_day("in", 3)])
    writer = log.writer()
    with pytest.raises(LogError, match="partition 3"):
        writer.append("in", [Message("k", b"good", partition=0), Message("k", b"bad", partition=3)])
    writer.flush(30)
    writer.close()
    assert read(log, "in") == []


def test_order_within_a_partition_is_the_order_of_appending(log: EventLog) -> None:
    """Over several calls and flushes, and offsets increase."""
    log.ensure([kept_a_day("in", 2)])
    writer = log.writer()
    for start in range(0, 300, 50):
        writer.append("in", numbered(50, start=start))
        if start == 100:
            writer.flush(30)
    writer.flush(30)
    writer.close()
    records = read(log, "in")
    for partition in (0, 1):
        mine = [record for record in records if record.partition == partition]
        assert [int(r.value or b"") for r in mine] == sorted(
            i for i in range(300) if zlib.crc32(f"key-{i}".encode()) % 2 == partition
        )
        assert [r.offset for r in mine] == sorted({r.offset for r in mine})


def test_a_message_over_the_bound_stops_its_whole_call(log: EventLog) -> None:
    """1,000 bytes are allowed: a call with one of 1,001 queues nothing, and the writer goes on."""
    log.ensure([StreamSpec("in", 1, retention_ms=DAY_MS, max_message_bytes=1000)])
    writer = log.writer()
    with pytest.raises(MessageTooLargeError, match="1001 bytes"):
        writer.append("in", [Message("k", b"small"), Message("k", bytes(1000))])
    writer.append("in", [Message("k", bytes(999))])
    writer.flush(30)
    writer.close()
    assert values(read(log, "in")) == [bytes(999)]


def test_the_largest_messages_of_the_house_pass(log: EventLog) -> None:
    """Two slabs of 8 MiB less a little, beside each other in one flush."""
    log.ensure([StreamSpec("slabs", 1, compacted=True, max_message_bytes=8 << 20)])
    send(log, "slabs", [Message(key, key.encode() * ((8 << 20) - 1)) for key in ("a", "b")])
    assert [(r.key, len(r.value or b"")) for r in read(log, "slabs")] == [("a", (8 << 20) - 1), ("b", (8 << 20) - 1)]


def test_flushing_nothing_is_quick_and_fine(log: EventLog) -> None:
    """A collector that read nothing still flushes."""
    writer = log.writer()
    writer.flush(30)
    writer.close()


def test_threads_append_at_once(log: EventLog) -> None:
    """Four writers of one process, 50 messages each: all are there, each writer's in its order."""
    log.ensure([kept_a_day("in", 2)])

    def write(name: str) -> None:
        writer = log.writer()
        for i in range(50):
            writer.append("in", [Message(name, str(i).encode())])
            writer.flush(30)
        writer.close()

    threads = [threading.Thread(target=write, args=(f"writer-{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = read(log, "in")
    for i in range(4):
        assert [r.value for r in records if r.key == f"writer-{i}"] == [str(n).encode() for n in range(50)]


def test_processes_append_at_once(log: EventLog, log_settings: LogSettings) -> None:
    """Two processes, 50 messages each, one flush a message: 100 are there, each number twice."""
    log.ensure([kept_a_day("in", 2)])
    with MemberProcess(log_settings, "g1", "in") as one, MemberProcess(log_settings, "g2", "in") as two:
        threads = [threading.Thread(target=process.ask, args=("append 50",)) for process in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(int(r.value or b"") for r in read(log, "in")) == sorted(2 * list(range(50)))


def test_the_newest_of_a_key_is_always_kept(log: EventLog) -> None:
    """Of a compacted stream a reader gets at least the newest message per key, in the order of their offsets."""
    log.ensure([StreamSpec("state", 2, compacted=True)])
    for version in range(3):
        send(log, "state", [Message(f"key-{i}", f"{i}.{version}".encode()) for i in range(10)])
    send(log, "state", [Message("key-3", None)])
    records = read(log, "state")
    newest = {record.key: record.value for record in records}
    assert newest == {f"key-{i}": None if i == 3 else f"{i}.2".encode() for i in range(10)}
    for partition in (0, 1):
        offsets = [record.offset for record in records if record.partition == partition]
        assert offsets == sorted(offsets)
