"""What the suite needs to speak with a log: members of groups that remember, and reads to the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from stream.contract import EventLog, Message, Record, StreamSpec

PATIENCE_S = 90.0
"""A wait that is over in milliseconds on SQLite takes some seconds on a broker that is busy with other tests."""

DAY_MS = 86_400_000


class Member:
    """A member of a group: its own listener, and everything that it was told and given."""

    def __init__(
        self,
        log: EventLog,
        group: str,
        stream: str,
        starts: Mapping[int, int] | None = None,
        on_revoked: Callable[[Member, Sequence[int]], None] | None = None,
    ) -> None:
        self.told: list[tuple[str, list[int]]] = []
        self.records: list[Record] = []
        self.next: dict[int, int] = {}
        self._starts = starts or {}
        self._on_revoked = on_revoked
        self.subscription = log.subscribe(group, stream, self)

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        self.told.append(("assigned", list(partitions)))
        return {p: self._starts[p] for p in partitions if p in self._starts}

    def revoked(self, partitions: Sequence[int]) -> None:
        self.told.append(("revoked", list(partitions)))
        if self._on_revoked:
            self._on_revoked(self, partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        self.told.append(("lost", list(partitions)))

    def poll(self, timeout_s: float = 0.1, max_records: int = 500) -> Sequence[Record]:
        records = self.subscription.poll(timeout_s, max_records)
        self.records += records
        for record in records:
            self.next[record.partition] = record.offset + 1
        return records

    @property
    def owns(self) -> frozenset[int]:
        return self.subscription.assignment()

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]

    def owned_as_told(self) -> frozenset[int]:
        """What it owns if it believes its listener alone."""
        owned: set[int] = set()
        for what, partitions in self.told:
            owned = owned | set(partitions) if what == "assigned" else owned - set(partitions)
        return frozenset(owned)


def drive(members: Sequence[Member], until: Callable[[], bool]) -> None:
    """Poll these members in turn until something is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline, [(member.owns, member.told, member.next) for member in members]
        for member in members:
            member.poll()


def shared(members: Sequence[Member], partitions: int) -> bool:
    """Whether these members own all partitions, none of them twice, and each about as many as the others."""
    counts = [len(member.owns) for member in members]
    together = sorted(p for member in members for p in member.owns)
    return together == list(range(partitions)) and max(counts) - min(counts) <= 1


def kept_a_day(name: str, partitions: int = 4) -> StreamSpec:
    return StreamSpec(name, partitions, retention_ms=DAY_MS)


def send(log: EventLog, stream: str, messages: Sequence[Message]) -> None:
    writer = log.writer()
    writer.append(stream, messages)
    writer.flush(30)
    writer.close()


def read(log: EventLog, stream: str, start: Mapping[int, int] | None = None) -> list[Record]:
    """Everything that is in the stream now."""
    reader = log.reader(stream, start)
    records: list[Record] = []
    deadline = time.monotonic() + PATIENCE_S
    while not reader.caught_up():
        assert time.monotonic() < deadline, f"{len(records)} records, and still not caught up"
        records += reader.poll(0.2)
    reader.close()
    return records


def values(records: Sequence[Record]) -> list[bytes | None]:
    return [record.value for record in records]


def numbered(n: int, partition: int | None = None, start: int = 0) -> list[Message]:
    """n messages whose keys and values are their numbers."""
    return [Message(f"key-{i}", str(i).encode(), {}, 1000 + i, partition) for i in range(start, start + n)]
