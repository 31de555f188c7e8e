"""The event log as the stages see it. SQLite and Kafka implement it; one conformance suite runs on both.

A stream is a set of partitions; a partition is an append-only sequence of messages with increasing offsets (gaps are
legal: compaction, retention and transaction markers make them). Messages with one key go to one partition, in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class LogError(Exception):
    """Anything the log refuses. The message names the stream, the value and the mend."""


class LogUnavailableError(LogError):
    """The log cannot be reached now. Trying again later may succeed; nothing was lost or doubled."""


class FencedError(LogError):
    """Another member owns the partition now. Drop its state; the new owner goes on from the last commit."""


class MessageTooLargeError(LogError):
    """A message is over the stream's bound. It was not written."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What a stream is created with. Exactly one of `compacted` and `retention_ms` is set."""

    name: str
    partitions: int
    compacted: bool = False
    retention_ms: int | None = None
    max_message_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Message:
    """One message to append. `value` None is a tombstone (compacted streams). `partition` None: chosen by key."""

    key: str
    value: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)
    time_ms: int = 0
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One message as read."""

    stream: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: Mapping[str, str]
    time_ms: int


class PartitionListener(Protocol):
    """Told, inside `Subscription.poll`, `commit` or `close`, which partitions come and go."""

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Take these partitions over. Returns the offset to start each from; those left out start at the committed one."""

    def revoked(self, partitions: Sequence[int]) -> None:
        """Give these partitions up. They are still owned during the call: `commit` their work here."""

    def lost(self, partitions: Sequence[int]) -> None:
        """These partitions already belong to another member. Drop their state; do not commit."""


class Writer(Protocol):
    """Appends in order. Not shared between threads."""

    def append(self, stream: str, messages: Sequence[Message]) -> None:
        """Queue messages. Raises MessageTooLargeError before anything of the call is queued."""

    def flush(self, timeout_s: float) -> None:
        """Return when all that was appended is durable. Raises LogUnavailableError when that took too long:
        then each message of the batch was written once or not at all, and may be appended again (a consumer drops
        the repeat by producer and sequence, see `stream.sequence`)."""

    def close(self) -> None: ...


class Reader(Protocol):
    """Reads partitions on its own account, without a group. Sees only what was committed."""

    def poll(self, timeout_s: float, max_records: int = 500) -> Sequence[Record]:
        """Records in offset order per partition; empty when none came within `timeout_s`."""

    def caught_up(self) -> bool:
        """Whether everything that existed when the reader was opened has been returned by `poll`."""

    def close(self) -> None: ...


class Subscription(Protocol):
    """One member of a group that shares the partitions of a stream. Not shared between threads."""

    def poll(self, timeout_s: float, max_records: int = 500) -> Sequence[Record]:
        """Records of the partitions this member owns. Calls the listener when partitions come or go.
        Must be called at least every 30 s, or the member is taken for dead."""

    def assignment(self) -> frozenset[int]: ...

    def commit(self, offsets: Mapping[int, int], appends: Mapping[str, Sequence[Message]] | None = None) -> None:
        """Move the group to `offsets` (the next offset to read, per partition) and append `appends` (by stream),
        all or nothing. Raises FencedError when a partition of `offsets` is no longer owned: nothing was written."""

    def close(self) -> None:
        """Leave the group; calls `listener.revoked` for what is still owned."""


class EventLog(Protocol):
    """The way in. One per process; `writer`, `reader` and `subscribe` may be called from any thread."""

    def ensure(self, specs: Sequence[StreamSpec]) -> None:
        """Create the streams that do not exist. An existing one keeps its partitions; a setting that differs and
        would lose data (a compacted stream without compaction) raises LogError."""

    def partitions(self, stream: str) -> int: ...

    def writer(self) -> Writer: ...

    def reader(self, stream: str, start: Mapping[int, int] | None = None) -> Reader:
        """Read the partitions named in `start`, each from its offset; None: all of them from the beginning."""

    def subscribe(self, group: str, stream: str, listener: PartitionListener) -> Subscription: ...

    def offsets(self, stream: str) -> Mapping[int, tuple[int, int]]:
        """Per partition, the first offset kept and the next one to be written."""

    def committed(self, group: str, stream: str) -> Mapping[int, int]:
        """Per partition, the next offset the group will read; partitions never committed are left out."""

    def close(self) -> None: ...
