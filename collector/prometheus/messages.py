"""Protobuf messages read many at a time: field i of all of them in one numpy pass.

An answer of remote read is a million small messages inside each other. As Python objects they took longer than their
samples do to decode; protobuf's own library is used where there are few.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Indices = NDArray[np.intp]
_NUMBER, _BYTES = 0, 2
"""Wire types; the others are of floats, which no message here has."""


class CorruptMessageError(ValueError):
    """Bytes that are no such message."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Places in `data`: piece i are the bytes from begin[i] on and before end[i]."""

    data: NDArray[np.uint8]
    begin: Integers
    end: Integers

    def __len__(self) -> int:
        return len(self.begin)

    def take(self, chosen: slice | Indices | NDArray[np.bool_]) -> Pieces:
        return Pieces(self.data, self.begin[chosen], self.end[chosen])

    def bytes_at(self, place: Integers) -> Integers:
        """The byte at each place; anything where that is past the end of the data."""
        return self.data.take(place, mode="clip").astype(np.int64)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of each of the messages `of`. number: its value, or its length where it is bytes or a message; begin, end:
    of these bytes, else both of what comes after it."""

    of: Indices
    tag: Integers
    number: Integers
    begin: Integers
    end: Integers


def fields(messages: Pieces) -> Iterator[Field]:
    """The first field of all messages, then the second of those that have one, and so on.

    Raises CorruptMessageError when a field does not end with or before its message, or is a float."""
    of, at, end = np.arange(len(messages)), messages.begin, messages.end
    while len(going := np.flatnonzero(at != end)):
        of, at, end = of[going], at[going], end[going]
        tag, at = _numbers(messages, at)
        number, begin = _numbers(messages, at)
        kind = tag & 7
        length = np.where(kind == _BYTES, number, 0)
        if ((length < 0) | (length > end - begin) | (kind != _BYTES) & (kind != _NUMBER)).any():
            raise CorruptMessageError("a message that cannot be read")
        at = begin + length
        yield Field(of, tag, number, begin, at)


def _numbers(messages: Pieces, at: Integers) -> tuple[Integers, Integers]:
    """The varint at each place, and the place after it."""
    byte = messages.bytes_at(at)
    number, at = byte & 127, at + 1
    long = np.flatnonzero(byte >= 128)
    for lift in range(7, 70, 7):
        if not len(long):
            return number, at
        byte = messages.bytes_at(at[long])
        number[long] |= (byte & 127) << min(lift, 63)
        at[long] += 1
        long = long[byte >= 128]
    raise CorruptMessageError("a number of more than ten bytes")
