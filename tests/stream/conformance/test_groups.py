"""Groups: partitions are shared, move when members come and go, and never have two owners."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from stream.contract import EventLog
from stream.settings import LogSettings
from tests.stream.conformance.member_process import MemberProcess
from tests.stream.conformance.members import Member, drive, kept_a_day, numbered, read, send, shared

MemberFactory = Callable[..., Member]


@pytest.fixture
def join(log: EventLog) -> Iterator[MemberFactory]:
    """Makes members of group `g` of stream `in`, and closes those that the test has not."""
    members: list[Member] = []

    def make(group: str = "g", **arguments: Any) -> Member:
        members.append(Member(log, group, "in", **arguments))
        return members[-1]

    yield make
    for member in members:
        member.subscription.close()


@pytest.fixture
def brief(log_settings: LogSettings) -> LogSettings:
    """For a member that will not come back in time: the others get its partitions after this session."""
    return replace(log_settings, session_s=1.5)


@pytest.fixture(autouse=True)
def streams(log: EventLog) -> None:
    log.ensure([kept_a_day("in", 4), kept_a_day("out", 1)])


def commit_all(member: Member, partitions: Sequence[int]) -> None:
    """What a stage does when partitions are revoked: commit what it has read of them."""
    member.subscription.commit({p: member.next[p] for p in partitions if p in member.next})


def test_one_member_gets_everything_from_the_beginning(log: EventLog, join: MemberFactory) -> None:
    """All partitions, told once and inside a poll; nobody committed, so each starts at its first message."""
    send(log, "in", numbered(20))
    member = join()
    assert (member.told, member.owns) == ([], frozenset())
    drive([member], lambda: len(member.records) == 20)
    assert member.owned_as_told() == member.owns == {0, 1, 2, 3}
    assert {what for what, _ in member.told} == {"assigned"}
    for partition in range(4):
        offsets = [r.offset for r in member.records if r.partition == partition]
        assert offsets == list(range(len(offsets)))


def test_the_group_goes_on_where_it_committed(log: EventLog, join: MemberFactory) -> None:
    """Ten read, six committed: the next member starts with the seventh."""
    send(log, "in", numbered(10, partition=2))
    first = join()
    drive([first], lambda: len(first.records) == 10)
    first.subscription.commit({2: 6})
    first.subscription.close()
    second = join()
    drive([second], lambda: len(second.records) == 4)
    assert [record.offset for record in second.records] == [6, 7, 8, 9]


def test_the_listener_may_say_where_to_start(log: EventLog, join: MemberFactory) -> None:
    """Committed is 6, the state that it loads covers 3: it goes on from 3. Another partition starts as committed."""
    send(log, "in", numbered(10, partition=2) + numbered(3, partition=1))
    first = join()
    drive([first], lambda: len(first.records) == 13)
    first.subscription.commit({2: 6, 1: 2})
    first.subscription.close()
    second = join(starts={2: 3})
    drive([second], lambda: len(second.records) == 8)
    assert sorted((r.partition, r.offset) for r in second.records) == [
        (1, 2),
        *((2, offset) for offset in range(3, 10)),
    ]


def test_groups_do_not_disturb_each_other(log: EventLog, join: MemberFactory) -> None:
    """Two groups read all messages each, and each has its own offsets."""
    send(log, "in", numbered(8, partition=0))
    one, two = join("one"), join("two")
    drive([one, two], lambda: len(one.records) == len(two.records) == 8)
    one.subscription.commit({0: 5})
    assert log.committed("one", "in") == {0: 5}
    assert log.committed("two", "in") == {}


def test_a_second_member_takes_half(log: EventLog, join: MemberFactory) -> None:
    """Two of four partitions move, by `revoked` and not by `lost`, and the listeners know who owns what."""
    first = join()
    drive([first], lambda: len(first.owns) == 4)
    second = join()
    drive([first, second], lambda: shared([first, second], 4))
    for member in (first, second):
        assert member.owned_as_told() == member.owns
        assert "lost" not in {what for what, _ in member.told}


def test_what_moves_goes_on_from_the_commit_in_revoked(log: EventLog, join: MemberFactory) -> None:
    """A member that commits when partitions are revoked hands them over without a gap and without a repeat."""
    send(log, "in", numbered(40))
    first, second = join(on_revoked=commit_all), None
    drive([first], lambda: len(first.records) == 40)
    second = join(on_revoked=commit_all)
    drive([first, second], lambda: shared([first, second], 4))
    send(log, "in", numbered(40, start=40))
    drive([first, second], lambda: len(first.records) + len(second.records) >= 80)
    both = [record.value for record in [*first.records, *second.records]]
    assert sorted(int(value or b"") for value in both) == list(range(80))


def test_a_member_that_leaves_gives_its_partitions_back(log: EventLog, join: MemberFactory) -> None:
    """`close` calls `revoked`, in which it may still commit; the one that stays takes over and misses nothing."""
    send(log, "in", numbered(20))
    first, second = join(on_revoked=commit_all), join(on_revoked=commit_all)
    drive([first, second], lambda: shared([first, second], 4) and len(first.records) + len(second.records) >= 20)
    owned = sorted(second.owns)
    second.subscription.close()
    assert second.told[-1] == ("revoked", owned)
    second.subscription.close()  # a second time changes nothing
    drive([first], lambda: len(first.owns) == 4)
    send(log, "in", numbered(20, start=20))
    drive([first], lambda: {int(v or b"") for v in first.values + second.values} == set(range(40)))


def test_a_member_too_many_waits_for_its_turn(log: EventLog, join: MemberFactory) -> None:
    """Five members and four partitions: one has none until another leaves."""
    members = [join() for _ in range(5)]
    drive(members, lambda: shared(members, 4))
    leaver = next(member for member in members if member.owns)
    members.remove(leaver)
    leaver.subscription.close()
    drive(members, lambda: shared(members, 4))
    assert [len(member.owns) for member in members] == [1, 1, 1, 1]


def test_nothing_is_lost_while_members_come_and_go(log: EventLog, join: MemberFactory) -> None:
    """Messages flow while a second and a third member join and the first leaves: each message is read exactly once."""
    members = [join(on_revoked=commit_all)]
    gone: list[Member] = []
    for step in range(6):
        send(log, "in", numbered(30, start=30 * step))
        if step in (1, 2):
            members.append(join(on_revoked=commit_all))
        if step == 4:
            gone.append(members.pop(0))
            gone[0].subscription.close()
        for member in members:
            member.poll()
            member.subscription.commit({p: member.next[p] for p in member.owns if p in member.next})
    drive(members, lambda: shared(members, 4) and _numbers(members + gone) >= set(range(180)))
    assert sorted(int(value or b"") for member in members + gone for value in member.values) == list(range(180))


def test_a_killed_member_is_replaced(log: EventLog, brief: LogSettings, join: MemberFactory) -> None:
    """A process that owns all partitions gets SIGKILL; the next member takes them all over."""
    with MemberProcess(brief, "g", "in") as other:
        assert other.ask("join 4") == "[0, 1, 2, 3]"
        other.process.send_signal(signal.SIGKILL)
        other.process.wait()
        member = join()
        drive([member], lambda: len(member.owns) == 4)


def test_a_stopped_member_is_fenced(log: EventLog, brief: LogSettings, join: MemberFactory) -> None:
    """A process sleeps longer than its session; another takes over. On waking, its commit fails whole and it is told
    that it lost everything."""
    send(log, "in", [message for p in range(4) for message in numbered(3, p)])
    with MemberProcess(brief, "g", "in") as sleeper:
        assert sleeper.ask("join 4") == "[0, 1, 2, 3]"
        sleeper.process.send_signal(signal.SIGSTOP)
        member = join()
        drive([member], lambda: len(member.owns) == 4 and len(member.records) == 12)
        member.subscription.commit(dict.fromkeys(range(4), 3))
        sleeper.process.send_signal(signal.SIGCONT)
        assert sleeper.ask("commit") == "fenced, told ('lost', [0, 1, 2, 3]), owns []"
    assert log.committed("g", "in") == dict.fromkeys(range(4), 3)
    assert read(log, "out") == []


def _numbers(members: Sequence[Member]) -> set[int]:
    return {int(value or b"") for member in members for value in member.values}
