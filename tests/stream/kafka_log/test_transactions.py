"""Transactions: undone when their owner dies, known again when their answer was lost, invisible until they are decided."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from kafka.admin import MemberToRemove  # noqa: TID251  (acts as an administrator)

from stream.contract import EventLog, FencedError, Message
from stream.kafka_log import KafkaLog
from stream.kafka_log.transaction import Transactor, UndecidedError
from stream.settings import LogSettings
from tests.stream.conformance.members import Member, drive, kept_a_day, numbered, read, send, values


@pytest.fixture
def member(kafka_log: KafkaLog) -> Iterator[Member]:
    """Owns the one partition of `in`, with four messages read."""
    kafka_log.ensure([kept_a_day("in", 1), kept_a_day("out", 1)])
    send(kafka_log, "in", numbered(4))
    member = Member(kafka_log, "g", "in")
    drive([member], lambda: len(member.records) == 4)
    yield member
    member.subscription.close()


def lose_first_answer(monkeypatch: pytest.MonkeyPatch, committed: bool) -> None:
    """The first commit request gets no answer, after it was carried out or before."""
    commit = Transactor._commit
    calls: list[float] = []

    def answer_lost(self: Transactor, deadline: float) -> None:
        calls.append(deadline)
        if committed or len(calls) > 1:
            commit(self, deadline)
        if len(calls) == 1:
            self.reset(abort=False)
            raise UndecidedError("the connection broke")

    monkeypatch.setattr(Transactor, "_commit", answer_lost)


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_whose_answer_was_lost_happens_once(
    kafka_log: KafkaLog, member: Member, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """Carried out or not, the caller sees one success, and the stream one message."""
    lose_first_answer(monkeypatch, committed)
    member.subscription.commit({0: 4}, {"out": [Message("o", b"x")]})
    assert kafka_log.committed("g", "in") == {0: 4}
    assert values(read(kafka_log, "out")) == [b"x"]


def test_the_same_offsets_again_are_a_commit_of_their_own(
    kafka_log: KafkaLog, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offsets do not tell commits apart, their tokens do: a second commit at offset 4 whose answer was lost before it
    was carried out is not mistaken for the first, and its message is written."""
    member.subscription.commit({0: 4}, {"out": [Message("o", b"first")]})
    lose_first_answer(monkeypatch, committed=False)
    member.subscription.commit({0: 4}, {"out": [Message("o", b"second")]})
    assert values(read(kafka_log, "out")) == [b"first", b"second"]


def test_what_a_killed_member_had_begun_is_undone(kafka_log: KafkaLog, kafka_settings: LogSettings) -> None:
    """A member gets SIGKILL with messages written and the transaction open. The next owner starts at the last commit,
    readers never see the messages, and they wait for the decision instead of taking the stream for read."""
    kafka_log.ensure([kept_a_day("in", 1), kept_a_day("out", 1)])
    send(kafka_log, "in", numbered(4))
    with subprocess.Popen(
        [sys.executable, "-m", __name__, msgspec.json.encode(kafka_settings).decode()],
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "committed 2, then wrote without an end\n"
        other.send_signal(signal.SIGKILL)
    reader = kafka_log.reader("out")
    assert not reader.caught_up()
    heir = Member(kafka_log, "g", "in")
    drive([heir], lambda: len(heir.records) == 2)
    assert [record.offset for record in heir.records] == [2, 3]
    heir.subscription.commit({0: 4}, {"out": [Message("o", b"heir")]})
    got: list[bytes | None] = []
    while not reader.caught_up():
        got += values(reader.poll(0.2))
    assert got == values(read(kafka_log, "out"))[: len(got)]
    assert values(read(kafka_log, "out")) == [b"whole", b"heir"]
    reader.close()
    heir.subscription.close()


def test_an_aborted_end_of_a_stream_has_been_read(kafka_log: KafkaLog, member: Member) -> None:
    """The last offsets are an aborted message and two markers: a reader gets nothing of them and is done."""
    member.subscription.commit({0: 1}, {"out": [Message("o", b"x")]})
    transactor: Transactor = member.subscription._transactor  # type: ignore[attr-defined]
    layout = kafka_log._catalogue.layout("out")
    transactor.recover(time.monotonic() + 10)
    transactor._producer.begin_transaction()
    transactor._producer.send(layout.topic, value=b"never", key=b"o", partition=0).get(timeout=10)
    transactor.reset(abort=True)
    assert values(read(kafka_log, "out")) == [b"x"]
    assert kafka_log.offsets("out")[0][1] == 4  # x, its marker, never, its marker


def test_an_expelled_member_joins_anew(kafka_log: KafkaLog, member: Member) -> None:
    """The group is told that the member left, while it does not know: its next commit is refused whole and reported
    lost, and its next polls make it a member again, from the last commit on."""
    member.subscription.commit({0: 1})
    expel(member)
    with pytest.raises(FencedError, match="went on without this member"):
        member.subscription.commit({0: 4}, {"out": [Message("o", b"zombie")]})
    assert (member.told[-1], member.owns) == (("lost", [0]), frozenset())
    member.records.clear()
    drive([member], lambda: len(member.records) == 3)
    assert [record.offset for record in member.records] == [1, 2, 3]
    member.subscription.commit({0: 4}, {"out": [Message("o", b"member")]})
    assert values(read(kafka_log, "out")) == [b"member"]


def expel(member: Member) -> None:
    """Have the coordinator remove the member behind its back, as an administrator would."""
    log: Any = member.subscription
    group = log._membership.group()
    admin = log._catalogue._connected()
    admin.remove_group_members(group.group_id, [MemberToRemove(member_id=group.member_id)])


def write_without_an_end(settings: str) -> None:
    """What the killed member does."""
    log: EventLog = KafkaLog(msgspec.json.decode(settings, type=LogSettings))
    member = Member(log, "g", "in")
    drive([member], lambda: len(member.records) == 4)
    member.subscription.commit({0: 2}, {"out": [Message("o", b"whole")]})
    Transactor._commit = lambda self, deadline: None  # type: ignore[method-assign]
    member.subscription.commit({0: 4}, {"out": [Message("o", b"half")]})
    member.subscription._transactor._producer.flush(timeout=10)  # type: ignore[attr-defined]
    print("committed 2, then wrote without an end", flush=True)
    time.sleep(60)


if __name__ == "__main__":
    write_without_an_end(sys.argv[1])
