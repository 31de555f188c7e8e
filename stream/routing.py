"""Rules that every log applies to a stream before it is created and to a message before it is written, so that they are
the same on all of them."""

from __future__ import annotations

from collections.abc import Iterable

from models.workload import partition_of
from stream.contract import LogError, Message, MessageTooLargeError, StreamSpec


def check_spec(spec: StreamSpec) -> None:
    """Raises LogError for a spec that says nothing sensible."""
    if spec.partitions < 1:
        raise LogError(f"stream {spec.name!r}: partitions is {spec.partitions}; it must be at least 1")
    if spec.compacted == (spec.retention_ms is not None):
        raise LogError(f"stream {spec.name!r}: give exactly one of compacted and retention_ms")


def partition_for(stream: str, message: Message, partitions: int) -> int:
    """The partition that a message names, or else the one of its key. Raises LogError when there is no such one."""
    if message.partition is None:
        return partition_of(message.key, partitions)
    if not 0 <= message.partition < partitions:
        raise LogError(f"{stream}: a message names partition {message.partition}; the stream has 0 to {partitions - 1}")
    return message.partition


def message_bytes(message: Message) -> int:
    """What a message counts against the bound of its stream: key, value and headers, as UTF-8."""
    headers = sum(len(name.encode()) + len(value.encode()) for name, value in message.headers.items())
    return len(message.key.encode()) + len(message.value or b"") + headers


def check_sizes(stream: str, messages: Iterable[Message], max_message_bytes: int) -> None:
    """Raise MessageTooLargeError for the first message over the bound."""
    for message in messages:
        size = message_bytes(message)
        if size > max_message_bytes:
            raise MessageTooLargeError(
                f"{stream}: a message with key {message.key[:80]!r} has {size} bytes; at most {max_message_bytes} are "
                "taken. Send fewer rows in one message"
            )
