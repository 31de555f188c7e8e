"""What becomes of input that cannot be used: a reason from a closed list, and the message as it came."""

from __future__ import annotations

from enum import StrEnum

from stream.contract import Message, Record

MAX_VALUE_BYTES = 1 << 20
"""A dead letter keeps this much of the message: every telemetry message whole, and nothing near the stream's 2 MiB."""
MAX_DETAIL_CHARS = 1000


class Reason(StrEnum):
    """Why a message or a row was not used. Bounded, so that it may be a metric label."""

    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    OVERSIZED = "oversized"
    UNKNOWN_SCHEMA = "unknown-schema"
    OUT_OF_RANGE = "out-of-range"
    FUTURE = "future"
    ANCIENT = "ancient"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out-of-order"
    LATE = "late"


class BadMessageError(Exception):
    """A message, or some of its rows, cannot be used. `detail` names the field, the value and what was expected."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def dead_letter(record: Record, error: BadMessageError) -> Message:
    """The message for the dead-letters stream: the value as it came, cut at 1 MiB, and where it came from."""
    value = record.value
    return Message(
        key=record.stream,
        value=None if value is None else value[:MAX_VALUE_BYTES],
        headers={
            "reason": error.reason,
            "detail": _clean(error.detail),
            "stream": record.stream,
            "partition": str(record.partition),
            "offset": str(record.offset),
        },
        time_ms=record.time_ms,
        partition=0,
    )


def _clean(detail: str) -> str:
    """Text that any log can carry as UTF-8: hostile input may have put lone surrogates into an error's text."""
    return detail[:MAX_DETAIL_CHARS].encode("utf-8", "replace").decode()
