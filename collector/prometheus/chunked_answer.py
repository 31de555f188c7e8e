"""The body of a streamed answer: frames with series, and series with chunks, found without making an object of each.

Frames are a varint with the size, CRC-32C, and a ChunkedReadResponse (prometheus/prompb/remote.proto).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from crc32c import crc32c

from collector.prometheus.messages import CorruptMessageError, Field, Integers, Pieces, fields

_SERIES, _LABEL, _CHUNK = 1 << 3 | 2, 1 << 3 | 2, 2 << 3 | 2
_TYPE, _DATA = 3 << 3, 4 << 3 | 2
"""Tags: of a response, of a series, and of a chunk, whose others are the times of its ends."""
_XOR = 1


@dataclass(frozen=True, slots=True)
class ChunkedSeries:
    """keys: the labels of each series as they came; length: how many chunks of floats it has, at least one; chunks: of
    all series, one after another"""

    keys: list[bytes]
    length: Integers
    chunks: Pieces


def chunked_series(body: bytes) -> ChunkedSeries:
    """Raises CorruptMessageError."""
    series = _inside(_frames(body), _SERIES)[1]
    keys = _keys(series)
    of, messages = _inside(series, _CHUNK)
    kind, chunks = _unpacked(messages)
    floats = kind == _XOR  # native histograms are not read
    length = np.bincount(of[floats], minlength=len(series))
    return _joined(keys, length, chunks if floats.all() else chunks.take(floats))


def _joined(keys: list[bytes], length: Integers, chunks: Pieces) -> ChunkedSeries:
    """Without series that have no chunk; those that go on in the next frame are one."""
    kept = np.flatnonzero(length)
    keys = [keys[place] for place in kept.tolist()]
    begins = np.flatnonzero([not i or keys[i - 1] != key for i, key in enumerate(keys)])
    length = np.add.reduceat(length[kept], begins) if len(kept) else length[kept]
    return ChunkedSeries([keys[place] for place in begins.tolist()], length, chunks)


def _inside(outer: Pieces, tag: int) -> tuple[Integers, Pieces]:
    """The messages with this tag in the outer ones, in their order, and in which each is."""
    found = [_tagged(field, tag) for field in fields(outer)]
    of, begin, end = (np.concatenate(column) for column in zip(*found, strict=True)) if found else (_NONE,) * 3
    order = np.argsort(of, kind="stable")
    return of[order], Pieces(outer.data, begin[order], end[order])


_NONE = np.zeros(0, np.int64)


def _tagged(field: Field, tag: int) -> tuple[Integers, Integers, Integers]:
    chosen = field.tag == tag
    return field.of[chosen], field.begin[chosen], field.end[chosen]


def _keys(series: Pieces) -> list[bytes]:
    """Everything before the chunks: the labels, which all servers write first."""
    end = series.begin.copy()
    for field in fields(series):
        labels = field.tag == _LABEL
        end[field.of[labels]] = field.end[labels]
    return [series.data[a:b].tobytes() for a, b in zip(series.begin.tolist(), end.tolist(), strict=True)]


def _unpacked(messages: Pieces) -> tuple[Integers, Pieces]:
    """The type and the data of each chunk message."""
    kind, begin, end = np.zeros(len(messages), np.int64), messages.begin.copy(), messages.begin.copy()
    for field in fields(messages):
        typed, data = field.tag == _TYPE, field.tag == _DATA
        kind[field.of[typed]] = field.number[typed]
        begin[field.of[data]], end[field.of[data]] = field.begin[data], field.end[data]
    return kind, Pieces(messages.data, begin, end)


def _frames(body: bytes) -> Pieces:
    places = np.array(list(_places(memoryview(body))), np.int64).reshape(-1, 2)
    return Pieces(np.frombuffer(body, np.uint8), places[:, 0].copy(), places[:, 1].copy())


def _places(body: memoryview) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(body):
        size, begin = _size(body, at)
        at = begin + 4 + size
        if at > len(body) or crc32c(body[begin + 4 : at]) != int.from_bytes(body[begin : begin + 4], "big"):
            raise CorruptMessageError("a frame of remote read is cut short or damaged")
        yield begin + 4, at


def _size(body: memoryview, at: int) -> tuple[int, int]:
    """The varint there, and the place after it."""
    number = 0
    for lift, byte in zip(range(0, 35, 7), body[at : at + 5], strict=False):
        number |= (byte & 127) << lift
        if byte < 128:
            return number, at + lift // 7 + 1
    raise CorruptMessageError("a frame of remote read without its size")
