"""A broker that is away, restarts, hangs or was never there."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from deploy.services.kafka import KafkaBroker
from deploy.services.process import free_port
from stream.contract import LogUnavailableError, Message, Record, Writer
from stream.kafka_log import KafkaLog
from stream.kafka_log.clients import Clients
from stream.kafka_log.transaction import Transactor
from stream.settings import LogSettings
from tests.stream.conformance.members import Member, drive, kept_a_day, numbered, read, send, values


@pytest.fixture
def broker(kafka_broker: KafkaBroker) -> Iterator[KafkaBroker]:
    """The shared broker, running again afterwards whatever the test did to it."""
    yield kafka_broker
    kafka_broker.resume()
    if not kafka_broker.running():
        kafka_broker.start()


@contextlib.contextmanager
def back_after(seconds: float, come_back: Callable[[], None]) -> Iterator[None]:
    """Let the broker come back while the body waits for it. Started in this thread, which is its parent for good."""
    timer = threading.Timer(seconds, come_back)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def repeat_until_flushed(writer: Writer, messages: list[Message]) -> None:
    """What an outbox does."""
    while True:
        try:
            writer.append("in", messages)
            return writer.flush(5)
        except LogUnavailableError:
            continue


def first_of_each(records: list[Record]) -> list[int]:
    """What a consumer takes that drops a number not above the newest, as `stream.sequence` does."""
    taken: list[int] = []
    for record in records:
        if (number := int(record.value or b"")) > (taken[-1] if taken else -1):
            taken.append(number)
    return taken


def test_no_broker_at_all(kafka_settings: LogSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening succeeds, since a collector starts without a log. Everything that needs the broker says so, names the
    place, and leaves no thread behind."""
    monkeypatch.setattr("stream.kafka_log.clients.CONNECT_TIMEOUT_S", 1.0)
    before = set(threading.enumerate())
    log = KafkaLog(LogSettings(f"kafka:127.0.0.1:{free_port()}", kafka=kafka_settings.kafka))
    with pytest.raises(LogUnavailableError, match=r"kafka:127\.0\.0\.1:\d+ with security_protocol PLAINTEXT"):
        log.ensure([kept_a_day("in", 1)])
    log.close()
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("stop", [KafkaBroker.stop, KafkaBroker.kill], ids=["stopped", "killed"])
def test_nothing_is_lost_or_turned_round_by_a_restart(
    kafka_log: KafkaLog, broker: KafkaBroker, stop: Callable[[KafkaBroker], None]
) -> None:
    """30 messages with the broker going away before the middle ten. Those are sent again until confirmed: the stream
    then holds each number, and dropping repeats leaves 0 to 29 in order."""
    kafka_log.ensure([kept_a_day("in", 1)])
    writer = kafka_log.writer()
    repeat_until_flushed(writer, numbered(10))
    stop(broker)
    writer.append("in", numbered(10, start=10))
    with pytest.raises(LogUnavailableError):
        writer.flush(1)
    broker.start()
    repeat_until_flushed(writer, numbered(10, start=10))
    repeat_until_flushed(writer, numbered(10, start=20))
    writer.close()
    assert first_of_each(read(kafka_log, "in")) == list(range(30))


def test_a_flush_outlasts_a_short_hang(kafka_log: KafkaLog, broker: KafkaBroker) -> None:
    """The broker hangs for a second in the middle of a flush that may take thirty: every message is there once."""
    kafka_log.ensure([kept_a_day("in", 1)])
    writer = kafka_log.writer()
    repeat_until_flushed(writer, numbered(10))
    broker.pause()
    writer.append("in", numbered(10, start=10))
    with back_after(1, broker.resume):
        writer.flush(30)
    writer.close()
    assert values(read(kafka_log, "in")) == [str(i).encode() for i in range(20)]


def test_late_confirmations_of_a_dropped_flush_are_repeats(kafka_log: KafkaLog, broker: KafkaBroker) -> None:
    """A flush gives up while the broker hangs with the messages in its buffers, and they are sent again. When it wakes,
    both copies are written: dropping repeats leaves each number once, in order."""
    kafka_log.ensure([kept_a_day("in", 1)])
    writer = kafka_log.writer()
    repeat_until_flushed(writer, numbered(5))
    broker.pause()
    writer.append("in", numbered(5, start=5))
    with pytest.raises(LogUnavailableError, match="not confirmed in time"):
        writer.flush(1)
    broker.resume()
    repeat_until_flushed(writer, numbered(10, start=5))
    writer.close()
    assert first_of_each(read(kafka_log, "in")) == list(range(15))


def test_a_member_goes_on_after_a_restart(kafka_log: KafkaLog, broker: KafkaBroker) -> None:
    """Polls during the outage return nothing and raise nothing; afterwards it reads on where it was."""
    kafka_log.ensure([kept_a_day("in", 2)])
    send(kafka_log, "in", numbered(10))
    member = Member(kafka_log, "g", "in")
    drive([member], lambda: len(member.records) == 10)
    broker.stop()
    assert [record for _ in range(5) for record in member.poll()] == []
    broker.start()
    send(kafka_log, "in", numbered(10, start=10))
    drive([member], lambda: {int(value or b"") for value in member.values} == set(range(20)))
    member.subscription.commit({p: member.next[p] for p in member.owns})
    member.subscription.close()


def test_a_commit_outlasts_a_hang(kafka_log: KafkaLog, broker: KafkaBroker) -> None:
    """The broker hangs when the commit begins and wakes while it waits: the group moves, and the message is there once."""
    kafka_log.ensure([kept_a_day("in", 1), kept_a_day("out", 1)])
    send(kafka_log, "in", numbered(4))
    member = Member(kafka_log, "g", "in")
    drive([member], lambda: len(member.records) == 4)
    member.subscription.commit({0: 1}, {"out": [Message("o", b"1")]})
    broker.pause()
    with back_after(2, broker.resume):
        member.subscription.commit({0: 4}, {"out": [Message("o", b"4")]})
    assert kafka_log.committed("g", "in") == {0: 4}
    assert values(read(kafka_log, "out")) == [b"1", b"4"]
    member.subscription.close()


def test_a_commit_that_gave_up_may_be_repeated(
    kafka_log: KafkaLog, broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one second of patience and a broker that hangs for longer, the commit raises. The same commit again, when
    the broker is back, leaves one message and not two."""
    kafka_log.ensure([kept_a_day("in", 1), kept_a_day("out", 1)])
    send(kafka_log, "in", numbered(4))
    member = Member(kafka_log, "g", "in")
    drive([member], lambda: len(member.records) == 4)
    member.subscription.commit({0: 1}, {"out": [Message("o", b"1")]})
    monkeypatch.setattr("stream.kafka_log.subscription.COMMIT_TIMEOUT_S", 1.0)
    broker.pause()
    with pytest.raises(LogUnavailableError, match="committing in"):
        member.subscription.commit({0: 4}, {"out": [Message("o", b"4")]})
    broker.resume()
    monkeypatch.undo()
    member.subscription.commit({0: 4}, {"out": [Message("o", b"4")]})
    assert kafka_log.committed("g", "in") == {0: 4}
    assert values(read(kafka_log, "out")) == [b"1", b"4"]
    member.subscription.close()


def test_heartbeats_go_on_while_a_state_is_restored(kafka_settings: LogSettings) -> None:
    """A listener that takes twice the session time to restore keeps its partitions."""
    settings = LogSettings(kafka_settings.location, session_s=1.5, kafka=kafka_settings.kafka)
    log = KafkaLog(settings)
    log.ensure([kept_a_day("in", 1)])
    send(log, "in", numbered(1))

    class Slow(Member):
        def assigned(self, partitions):  # type: ignore[no-untyped-def]
            time.sleep(3)
            return super().assigned(partitions)

    member = Slow(log, "g", "in")
    drive([member], lambda: len(member.records) == 1)
    member.subscription.commit({0: 1})
    assert member.told == [("assigned", [0])]
    member.subscription.close()
    log.close()


def test_who_cannot_join_leaves_the_transactional_id_to_the_next(
    kafka_log: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member left; of two that come after it the first finds the broker away. The second has the id of both, by which it
    decides what they left open; with another it would have to wait until their time is up."""
    kafka_log.ensure([kept_a_day("in", 1)])
    ids: list[str] = []

    def noted(clients: Clients, transactional_id: str) -> Transactor:
        ids.append(transactional_id)
        return Transactor(clients, transactional_id)

    def away(*asked: object) -> None:
        raise LogUnavailableError("away")

    monkeypatch.setattr("stream.kafka_log.log.Transactor", noted)
    Member(kafka_log, "group", "in").subscription.close()
    for broken in ("stream.kafka_log.transaction.Transactor.recover", "stream.kafka_log.log.Membership"):
        with monkeypatch.context() as outage, pytest.raises(LogUnavailableError):  # noqa: PT012  # the outage ends with it
            outage.setattr(broken, away)
            Member(kafka_log, "group", "in")
    Member(kafka_log, "group", "in").subscription.close()
    assert len(ids) == 4
    assert len(set(ids)) == 1
