"""Members of a group on SQLite: what the conformance suite cannot reach from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from stream.contract import FencedError, Message
from stream.sqlite_log import SqliteLog
from tests.stream.conformance.members import Member, drive, kept_a_day, numbered, read, send, shared, values

SESSION_S = 30.0


class Clock:
    """Time that passes when a test says so."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[SqliteLog]:
    opened = SqliteLog(tmp_path / "log.db", "normal", session_s=SESSION_S, monotonic_s=clock)
    opened.ensure([kept_a_day("in", 2), kept_a_day("out", 1)])
    yield opened
    opened.close()


class Stumbling(Member):
    """A listener that fails the first time that it is given partitions."""

    stumbled = False

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        if not self.stumbled:
            self.stumbled = True
            raise RuntimeError("cannot load the state yet")
        return super().assigned(partitions)


def test_a_listener_that_failed_is_asked_again(log: SqliteLog) -> None:
    """The error comes out of poll; nothing is read before the state is there; the next poll tries again."""
    send(log, "in", numbered(4))
    member = Stumbling(log, "g", "in")
    with pytest.raises(RuntimeError, match="cannot load"):
        member.poll()
    assert member.owns == frozenset()
    drive([member], lambda: len(member.records) == 4)
    assert member.told == [("assigned", [0, 1])]
    member.subscription.close()


def test_a_partition_that_came_back_was_lost_all_the_same(log: SqliteLog, clock: Clock) -> None:
    """A sleeps past its session, B takes over, commits and leaves. When A wakes, its old partitions are free and it gets
    them again at once, but first it is told that it lost them: what it knew of them is out of date."""
    send(log, "in", numbered(3, 0))
    sleeper = Member(log, "g", "in")
    drive([sleeper], lambda: len(sleeper.records) == 3)
    clock.now_s += SESSION_S + 1
    other = Member(log, "g", "in")
    drive([other], lambda: len(other.owns) == 2)
    other.subscription.commit({0: 2})
    other.subscription.close()
    drive([sleeper], lambda: len(sleeper.records) == 4)
    assert sleeper.told == [("assigned", [0, 1]), ("lost", [0, 1]), ("assigned", [0, 1])]
    assert [record.offset for record in sleeper.records] == [0, 1, 2, 2]
    sleeper.subscription.close()


def test_a_fenced_member_can_come_back(log: SqliteLog, clock: Clock) -> None:
    """After a commit that was fenced the member polls, joins anew and commits."""
    sleeper = Member(log, "g", "in")
    drive([sleeper], lambda: len(sleeper.owns) == 2)
    clock.now_s += SESSION_S + 1
    other = Member(log, "g", "in")
    drive([other], lambda: len(other.owns) == 2)
    with pytest.raises(FencedError, match=r"partitions \[0, 1\] are not this member's any more"):
        sleeper.subscription.commit({0: 1, 1: 1}, {"out": [Message("o", b"no")]})
    other.subscription.close()
    drive([sleeper], lambda: len(sleeper.owns) == 2)
    sleeper.subscription.commit({0: 1, 1: 1}, {"out": [Message("o", b"yes")]})
    assert values(read(log, "out")) == [b"yes"]
    sleeper.subscription.close()


def test_committing_keeps_a_busy_member_alive(log: SqliteLog, clock: Clock) -> None:
    """A member commits every 20 s for 200 s and never polls: with a session of 30 s it keeps its partitions."""
    busy, other = Member(log, "g", "in"), Member(log, "g", "in")
    drive([busy], lambda: len(busy.owns) == 2)
    for offset in range(10):
        clock.now_s += 20
        other.poll(0)
        busy.subscription.commit({0: offset})
    assert other.owns == frozenset()
    for member in (busy, other):
        member.subscription.close()


def test_polling_keeps_an_idle_member_alive(log: SqliteLog, clock: Clock) -> None:
    """The same for a member that polls every 20 s and has nothing to commit: no partition is ever lost."""
    idle, other = Member(log, "g", "in"), Member(log, "g", "in")
    for _ in range(10):
        clock.now_s += 20
        idle.poll(0)
        other.poll(0)
    assert shared([idle, other], 2)
    assert "lost" not in {what for member in (idle, other) for what, _ in member.told}
    for member in (idle, other):
        member.subscription.close()
