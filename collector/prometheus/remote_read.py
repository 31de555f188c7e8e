"""Remote read: the server's own compressed chunks, which cost it a tenth of what an answer in JSON does.

`POST /api/v1/read` with the response type STREAMED_XOR_CHUNKS (prometheus/prompb/remote.proto): frames of one varint with
the size, CRC-32C, and a ChunkedReadResponse. Prometheus since 2.13 and Mimir speak it; who does not, answers an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import cramjam
import numpy as np
from crc32c import crc32c
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from collector.prometheus import xor
from collector.prometheus.answer import Labels, Series, Times
from collector.prometheus.sample_table import SampleTable
from collector.prometheus.selector import Matcher
from collector.protobuf import Fields, message_classes

HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}
STREAMED = "application/x-streamed-protobuf"
_XOR = 1
_TYPE, _DATA, _FIELDS_OF_CHUNK = 3 << 3, 4 << 3 | 2, 4
"""Tags of a Chunk message; its others are the times of its ends."""
_AT_ONCE = 8192
"""Chunks decoded and thinned together: a million samples."""
Key = tuple[bytes, ...]
"""Labels as they came."""
Span = tuple[int, int]
"""Milliseconds of which samples are wanted, both ends with them."""
_MESSAGES: dict[str, Fields] = {
    # labels stay bytes: they are the key of a series. So do
    # chunks, which `_unpacked` reads
    "ReadRequest": (("queries", 1, "*Query"), ("accepted_response_types", 2, "*int32")),
    "Query": (("start_timestamp_ms", 1, "int64"), ("end_timestamp_ms", 2, "int64"), ("matchers", 3, "*LabelMatcher")),
    "LabelMatcher": (("type", 1, "int32"), ("name", 2, "string"), ("value", 3, "string")),
    "ChunkedReadResponse": (("chunked_series", 1, "*ChunkedSeries"),),
    "ChunkedSeries": (("labels", 1, "*bytes"), ("chunks", 2, "*bytes")),
    "Label": (("name", 1, "string"), ("value", 2, "string")),
}


class CorruptAnswerError(ValueError):
    """An answer that is not what remote read promises."""


def request(matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> bytes:
    """The body of a request for the samples of [start_ms, end_ms]."""
    listed = [_LabelMatcher(type=one.type, name=one.name, value=one.value) for one in matchers]
    query = _Query(start_timestamp_ms=start_ms, end_timestamp_ms=end_ms, matchers=listed)
    body = _ReadRequest(queries=[query], accepted_response_types=[_XOR])
    return bytes(cramjam.snappy.compress_raw(body.SerializeToString()))


def series_in(body: bytes, span_ms: Span, step_ms: int = 0, *, level: bool = False) -> list[Series]:
    """Every series with its samples of [start_ms, end_ms]; with `step_ms` one for each step that ends there, as in
    `SampleTable.thinned`. Raises CorruptAnswerError."""
    found: list[Series] = []
    for keys, length, chunks in _parts(*_series_of(body)):
        decoded = _decoded(xor.decode, chunks)
        table = SampleTable(_bounds(decoded.count, length), decoded.time_ms, decoded.value).ordered()
        found += _listed(keys, (table.thinned(step_ms, level=level) if step_ms else table).between(*span_ms))
    return found


def outlines_in(body: bytes, span_ms: Span) -> list[Series]:
    """Every series with the first sample of each chunk and all of the last one: enough to see what seldom changes, within
    two hours at a sample a minute, without decoding it all. Raises CorruptAnswerError."""
    keys, length, chunks = _series_of(body)
    ends = np.cumsum(length)
    heads, last = _decoded(xor.first_samples, chunks), _decoded(xor.decode, chunks.take(ends - 1))
    if not (heads.count.all() and last.count.all()):
        raise CorruptAnswerError("a chunk without a sample")
    kept = np.ones(len(heads.time_ms), np.bool_)
    kept[ends - 1] = False  # the last chunk's own first sample
    place = np.repeat(ends - np.arange(1, len(keys) + 1), last.count)
    table = SampleTable(
        np.append(0, np.cumsum(length - 1 + last.count)),
        np.insert(heads.time_ms[kept], place, last.time_ms),
        np.insert(heads.value[kept], place, last.value),
    )
    return _listed(keys, table.ordered().between(*span_ms))


def _decoded(decode: Callable[[xor.Chunks], xor.Decoded], chunks: xor.Chunks) -> xor.Decoded:
    try:
        return decode(chunks)
    except xor.CorruptChunkError as error:
        raise CorruptAnswerError(str(error)) from error


def _bounds(count: Times, length: Times) -> NDArray[np.intp]:
    """Where each series begins and ends. count: samples of each chunk; length: chunks of each series."""
    samples = np.append(0, np.cumsum(count))
    bounds: NDArray[np.intp] = samples[np.append(0, np.cumsum(length))]
    return bounds


def _listed(keys: Sequence[Key], table: SampleTable) -> list[Series]:
    """Series that have a sample."""
    columns = zip(keys, table.columns(), strict=True)
    return [Series(key, _labels, time_ms, value) for key, (time_ms, value) in columns if len(time_ms)]


def _parts(keys: Sequence[Key], length: Times, chunks: xor.Chunks) -> Iterator[tuple[Sequence[Key], Times, xor.Chunks]]:
    """Whole series with about `_AT_ONCE` chunks together: what is decoded at once is thinned while it is at hand."""
    ends = np.cumsum(length)
    begin, place = 0, 0
    while begin < len(keys):
        until = max(int(np.searchsorted(ends, place + _AT_ONCE, side="right")), begin + 1)
        yield keys[begin:until], length[begin:until], chunks.take(slice(place, int(ends[until - 1])))
        begin, place = until, int(ends[until - 1])


def _series_of(body: bytes) -> tuple[list[Key], Times, xor.Chunks]:
    """Keys of the series, how many chunks each has, and the chunks. Raises CorruptAnswerError."""
    keys: list[Key] = []
    held: list[bytes] = []
    length: list[int] = []
    for frame in _frames(body):
        try:
            answer = _ChunkedReadResponse.FromString(frame)
        except DecodeError as error:
            raise CorruptAnswerError(f"a frame of remote read that cannot be read: {error}") from error
        for series in answer.chunked_series:
            key = tuple(series.labels)
            chunks = series.chunks
            held.extend(chunks)
            if keys and keys[-1] == key:  # it began in the frame before
                length[-1] += len(chunks)
            else:
                keys.append(key)
                length.append(len(chunks))
    return _of_floats(keys, np.array(length, np.int64), *_unpacked(xor.Chunks.of(held)))


def _of_floats(keys: list[Key], length: Times, chunks: xor.Chunks, kind: Times) -> tuple[list[Key], Times, xor.Chunks]:
    """Without native histograms, and without series that have nothing else."""
    floats = kind == _XOR
    if floats.all() and length.all():
        return keys, length, chunks
    length = np.diff(_bounds(floats.astype(np.int64), length))
    return (
        [key for key, many in zip(keys, length.tolist(), strict=True) if many],
        length[length > 0],
        chunks.take(floats),
    )


def _unpacked(messages: xor.Chunks) -> tuple[xor.Chunks, Times]:
    """The data and the type of each Chunk message. All at once: a million chunks as Python objects took longer than their
    samples. Raises CorruptAnswerError."""
    at, kind = messages.begin.copy(), np.zeros(len(messages), np.int64)
    begin, end = at.copy(), at.copy()
    for _ in range(_FIELDS_OF_CHUNK):
        going = np.flatnonzero(at < messages.end)
        tag = messages.bytes_at(at[going])
        number, after = _numbers(messages, at[going] + 1)
        kind[going[tag == _TYPE]] = number[tag == _TYPE]
        data = tag == _DATA
        begin[going[data]], end[going[data]] = after[data], (after + number)[data]
        at[going] = np.where(data, after + number, after)
    if (at != messages.end).any():
        raise CorruptAnswerError("a chunk of remote read that cannot be read")
    return xor.Chunks(messages.data, begin, end), kind


def _numbers(messages: xor.Chunks, at: Times) -> tuple[Times, Times]:
    """The varint at each place, and the place after it."""
    number, going = np.zeros(len(at), np.int64), np.ones(len(at), np.bool_)
    for lift in range(0, 70, 7):
        byte = messages.bytes_at(at)
        number |= np.where(going, (byte & 127) << min(lift, 63), 0)
        at = at + going
        going &= byte >= 128
        if not going.any():
            return number, at
    raise CorruptAnswerError("a number of more than ten bytes")


def _frames(body: bytes) -> Iterator[memoryview]:
    whole, at = memoryview(body), 0
    while at < len(whole):
        size, at = _varint(whole, at)
        checksum, frame = whole[at : at + 4], whole[at + 4 : at + 4 + size]
        if len(frame) < size or crc32c(frame) != int.from_bytes(checksum, "big"):
            raise CorruptAnswerError("a frame of remote read is cut short or damaged")
        yield frame
        at += 4 + size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for lift in range(0, 35, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        number |= (byte & 127) << lift
        if byte < 128:
            return number, at
    raise CorruptAnswerError("a frame of remote read without its size")


def _labels(key: Key) -> Labels:
    return {label.name: label.value for label in map(_Label.FromString, key)}


_CLASSES = message_classes("sizewise.remote_read", _MESSAGES)
_ReadRequest, _Query, _LabelMatcher, _ChunkedReadResponse, _Label = (
    _CLASSES[name] for name in ("ReadRequest", "Query", "LabelMatcher", "ChunkedReadResponse", "Label")
)
