"""Cooperative rebalance: what a member keeps, it is never asked to give up."""

from __future__ import annotations

import threading

import pytest
from kafka import KafkaProducer  # noqa: TID251  (another program that writes to a topic)

from stream.kafka_log import KafkaLog
from stream.settings import LogSettings
from tests.stream.conformance.members import Member, drive, kept_a_day, numbered, send, shared


def test_a_third_member_moves_only_what_it_gets(kafka_log: KafkaLog) -> None:
    """Two members with three of six partitions each; a third joins. Each of the two gives up one and is told of nothing
    else: a stage keeps the state of the partitions that stay."""
    kafka_log.ensure([kept_a_day("in", 6)])
    first, second = Member(kafka_log, "g", "in"), Member(kafka_log, "g", "in")
    drive([first, second], lambda: shared([first, second], 6))
    told = len(first.told), len(second.told)
    third = Member(kafka_log, "g", "in")
    drive([first, second, third], lambda: shared([first, second, third], 6))
    for member, before in ((first, told[0]), (second, told[1])):
        [(what, partitions)] = member.told[before:]
        assert (what, len(partitions)) == ("revoked", 1)
    for member in (first, second, third):
        member.subscription.close()


def test_the_listener_is_called_in_the_thread_that_polls(kafka_log: KafkaLog) -> None:
    """A stage may use its SQLite connection and its arrays in a callback without a lock."""
    kafka_log.ensure([kept_a_day("in", 1)])
    threads: list[str] = []

    class Watching(Member):
        def assigned(self, partitions):  # type: ignore[no-untyped-def]
            threads.append(threading.current_thread().name)
            return super().assigned(partitions)

        def revoked(self, partitions):  # type: ignore[no-untyped-def]
            threads.append(threading.current_thread().name)

    member = Watching(kafka_log, "g", "in")
    drive([member], lambda: bool(member.owns))
    member.subscription.close()
    assert threads == [threading.current_thread().name] * 2


def test_an_error_of_the_listener_comes_out_of_poll(kafka_log: KafkaLog) -> None:
    """A stage that cannot restore fails where it can be seen, and leaves the group without hanging."""
    kafka_log.ensure([kept_a_day("in", 1)])

    class Broken(Member):
        def assigned(self, partitions):  # type: ignore[no-untyped-def]
            raise RuntimeError("state is unreadable")

    member = Broken(kafka_log, "g", "in")
    with pytest.raises(RuntimeError, match="state is unreadable"):
        drive([member], lambda: False)
    member.subscription.close()


def test_a_poll_hands_out_no_more_than_asked(kafka_log: KafkaLog) -> None:
    """500 were fetched by the first poll; the ones after it ask for ten and get ten, in order."""
    kafka_log.ensure([kept_a_day("in", 1)])
    send(kafka_log, "in", numbered(60))
    member = Member(kafka_log, "g", "in")
    while not member.poll(max_records=20):
        pass
    while len(member.records) < 60:
        assert len(member.poll(max_records=10)) <= 10
    assert [record.offset for record in member.records] == list(range(60))
    member.subscription.close()


def test_what_others_write_does_not_break_the_reader(kafka_log: KafkaLog, kafka_settings: LogSettings) -> None:
    """No key, a key that is no UTF-8, a header without a value, a time that is no number: records like any other, for
    the stage to judge."""
    kafka_log.ensure([kept_a_day("in", 1)])
    producer = KafkaProducer(bootstrap_servers=list(kafka_settings.bootstrap))
    topic = kafka_settings.kafka.topic_prefix + "in"
    producer.send(topic, value=b"a")
    producer.send(topic, value=b"b", key=b"\xff\xfe", headers=[("h", b"\xff"), ("time-ms", b"soon")])
    producer.close()
    member = Member(kafka_log, "g", "in")
    drive([member], lambda: len(member.records) == 2)
    bare, odd = member.records
    assert (bare.key, bare.value, dict(bare.headers)) == ("", b"a", {})
    assert (odd.key, odd.value, dict(odd.headers)) == ("\ufffd\ufffd", b"b", {"h": "\ufffd"})
    assert odd.time_ms >= bare.time_ms > 1_700_000_000_000
    member.subscription.close()
