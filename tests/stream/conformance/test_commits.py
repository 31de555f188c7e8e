"""Commits: offsets and appends move together or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stream.contract import EventLog, FencedError, LogError, Message, MessageTooLargeError, StreamSpec
from tests.stream.conformance.members import Member, drive, kept_a_day, numbered, read, send, shared, values


@pytest.fixture
def member(log: EventLog) -> Iterator[Member]:
    """Owns both partitions of `in`; `state` and `out` are there to be written to."""
    log.ensure(
        [kept_a_day("in", 2), StreamSpec("state", 2, compacted=True, max_message_bytes=1000), kept_a_day("out", 1)]
    )
    send(log, "in", numbered(4, 0) + numbered(4, 1))
    member = Member(log, "g", "in")
    drive([member], lambda: len(member.records) == 8)
    yield member
    member.subscription.close()


def test_offsets_and_messages_move_together(log: EventLog, member: Member) -> None:
    """One commit: both offsets, a message in each of two streams."""
    member.subscription.commit(
        {0: 4, 1: 2}, {"state": [Message("k", b"slab", {"schema": "profile/1"}, 5, 1)], "out": [Message("o", b"x")]}
    )
    assert log.committed("g", "in") == {0: 4, 1: 2}
    [slab] = read(log, "state")
    assert (slab.partition, slab.key, slab.value, dict(slab.headers), slab.time_ms) == (
        1, "k", b"slab", {"schema": "profile/1"}, 5,
    )  # fmt: skip
    assert values(read(log, "out")) == [b"x"]


def test_commits_follow_each_other(log: EventLog, member: Member) -> None:
    """Each commit adds its messages behind those of the last; offsets may also move back."""
    for offset in (1, 2, 3):
        member.subscription.commit({0: offset}, {"out": [Message("o", str(offset).encode())]})
    member.subscription.commit({0: 2})
    assert values(read(log, "out")) == [b"1", b"2", b"3"]
    assert log.committed("g", "in") == {0: 2}


def test_messages_without_offsets_are_written(log: EventLog, member: Member) -> None:
    """A stage may have state to write and nothing to move."""
    member.subscription.commit({}, {"out": [Message("o", b"x")]})
    assert values(read(log, "out")) == [b"x"]
    assert log.committed("g", "in") == {}


@pytest.mark.parametrize(
    ("appends", "error"),
    [
        ({"out": [Message("o", b"x")], "state": [Message("k", bytes(1001))]}, MessageTooLargeError),
        ({"out": [Message("o", b"x")], "nowhere": [Message("k", b"x")]}, LogError),
        ({"out": [Message("o", b"x"), Message("o", b"x", partition=9)]}, LogError),
    ],
)
def test_a_commit_with_a_mistake_leaves_nothing(
    log: EventLog, member: Member, appends: dict[str, list[Message]], error: type[LogError]
) -> None:
    """One message too large, one stream unknown, one partition that is not there: nothing moves, and the member is as
    able to commit as before."""
    with pytest.raises(error):
        member.subscription.commit({0: 4}, appends)
    assert log.committed("g", "in") == {}
    assert read(log, "out") == []
    member.subscription.commit({0: 3}, {"out": [Message("o", b"y")]})
    assert log.committed("g", "in") == {0: 3}
    assert values(read(log, "out")) == [b"y"]


def test_a_partition_of_another_member_cannot_be_committed(log: EventLog, member: Member) -> None:
    """A second member has one of the two partitions. A commit that names both is refused whole, also for its own."""
    other = Member(log, "g", "in")
    drive([member, other], lambda: shared([member, other], 2))
    with pytest.raises(FencedError):
        member.subscription.commit({0: 4, 1: 4}, {"out": [Message("o", b"x")]})
    assert log.committed("g", "in") == {}
    assert read(log, "out") == []
    [mine], [theirs] = member.owns, other.owns
    member.subscription.commit({mine: 4})
    other.subscription.commit({theirs: 3})
    assert log.committed("g", "in") == {mine: 4, theirs: 3}
    other.subscription.close()


def test_a_reader_never_sees_half_a_commit(log: EventLog, member: Member) -> None:
    """Of a refused commit a reader that was open all the time gets nothing, and the next commit comes through."""
    reader = log.reader("out")
    with pytest.raises(MessageTooLargeError):
        member.subscription.commit({0: 4}, {"out": [Message("o", b"no")], "state": [Message("k", bytes(1001))]})
    member.subscription.commit({0: 4}, {"out": [Message("o", b"yes")]})
    got: list[bytes | None] = []
    while not got:
        got += values(reader.poll(1))
    assert got == [b"yes"]
    reader.close()
