"""JSON bodies into dataclasses and back."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from stream.dead_letters import BadMessageError, Reason

T = TypeVar("T")

MAX_BYTES = 1 << 20


def encode_json(obj: object) -> bytes:
    """A dataclass as JSON, fields in their order. NaN and infinity become null."""
    return msgspec.json.encode(obj)


def decode_json(value: bytes | None, kind: type[T], max_bytes: int = MAX_BYTES) -> T:
    """The `kind` that a message holds; unknown fields are ignored, so that a newer writer can be read.

    Raises BadMessageError; where a field is wrong, its detail names the path of the field.
    """
    if value is None:
        raise BadMessageError(Reason.MALFORMED, f"no value; a JSON {kind.__name__} was expected")
    if len(value) > max_bytes:
        raise BadMessageError(Reason.OVERSIZED, f"{len(value)} bytes of JSON; at most {max_bytes} are read")
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = Reason.TRUNCATED if "truncated" in str(error) else Reason.MALFORMED
        raise BadMessageError(reason, f"{kind.__name__}: {error}") from error
