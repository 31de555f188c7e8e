"""Which messages of a producer were taken already: a repeat is dropped, so that at-least-once becomes exactly once.

Producers number their messages per stream and partition in increasing order; gaps are legal (an outbox that
overflowed). What was taken is kept as the newest number and a window of the 64 before it, which tells a repeat
(`duplicate`) from a message that comes after its successors (`out-of-order`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream import schemas
from stream.contract import Record
from stream.dead_letters import BadMessageError, Reason

WINDOW = 64
_MAX_SEQUENCE = 1 << 62
_MAX_PRODUCER_CHARS = 256


@dataclass(frozen=True, slots=True)
class Taken:
    """What one producer sent to one partition. Bit k of `window`: number `newest - k` was taken."""

    newest: int
    window: int = 1
    time_ms: int = 0
    """When the newest was written: a producer that is gone for long is forgotten."""


class Sequences:
    """The newest sequence of each producer in one partition."""

    def __init__(self, taken: Mapping[str, Taken] | None = None) -> None:
        self._taken = dict(taken or {})

    def check(self, record: Record) -> tuple[str, int]:
        """The producer and sequence of a message that was not taken yet.

        Raises BadMessageError: malformed (headers missing or no number), duplicate, out-of-order.
        """
        producer, sequence = _headers(record)
        taken = self._taken.get(producer)
        if taken is None or sequence > taken.newest:
            return producer, sequence
        behind = taken.newest - sequence
        if behind < WINDOW and not taken.window >> behind & 1:
            raise BadMessageError(
                Reason.OUT_OF_ORDER, f"sequence {sequence} of producer {producer!r} comes after {taken.newest}"
            )
        raise BadMessageError(
            Reason.DUPLICATE, f"sequence {sequence} of producer {producer!r} was taken; the newest is {taken.newest}"
        )

    def take(self, producer: str, sequence: int, time_ms: int) -> None:
        """Remember that this message is part of the state. `sequence` must be above the newest."""
        before = self._taken.get(producer)
        window = 1
        if before is not None and sequence - before.newest < WINDOW:
            window = (before.window << (sequence - before.newest) | 1) & ((1 << WINDOW) - 1)
        self._taken[producer] = Taken(sequence, window, time_ms)

    def forget_before(self, time_ms: int) -> None:
        """Drop producers whose newest message is older."""
        self._taken = {name: taken for name, taken in self._taken.items() if taken.time_ms >= time_ms}

    def snapshot(self) -> dict[str, Taken]:
        return dict(self._taken)


def _headers(record: Record) -> tuple[str, int]:
    producer = record.headers.get(schemas.PRODUCER, "")
    text = record.headers.get(schemas.SEQUENCE, "")
    if not 0 < len(producer) <= _MAX_PRODUCER_CHARS:
        raise BadMessageError(
            Reason.MALFORMED,
            f"header producer has {len(producer)} characters; 1 to {_MAX_PRODUCER_CHARS} were expected",
        )
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < _MAX_SEQUENCE):
        raise BadMessageError(Reason.MALFORMED, f"header sequence is {text[:40]!r}; a number below 2^62 was expected")
    return producer, int(text)
