"""Remote read: the server's own compressed chunks, which cost it a tenth of what an answer in JSON does.

`POST /api/v1/read` with the response type STREAMED_XOR_CHUNKS (prometheus/prompb/remote.proto): frames of one varint with
the size, CRC-32C, and a ChunkedReadResponse. Prometheus since 2.13 and Mimir speak it; who does not, answers an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, pairwise
from typing import Any

import cramjam
import numpy as np
from crc32c import crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from collector.prometheus import xor
from collector.prometheus.answer import Labels, Series, Times
from collector.prometheus.selector import Matcher

HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}
STREAMED = "application/x-streamed-protobuf"
_XOR = 1
_STALE = np.uint64(0x7FF0000000000002)
"""Bits of the NaN that ends a series; PromQL leaves it out, too."""
_NO_TIMES, _NO_VALUES = np.zeros(0, np.int64), np.zeros(0)
_Field = descriptor_pb2.FieldDescriptorProto
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    # `*` repeated; a capital letter starts the name of a message. Labels stay bytes: they are the key of a series
    "ReadRequest": (("queries", 1, "*Query"), ("accepted_response_types", 2, "*int32")),
    "Query": (("start_timestamp_ms", 1, "int64"), ("end_timestamp_ms", 2, "int64"), ("matchers", 3, "*LabelMatcher")),
    "LabelMatcher": (("type", 1, "int32"), ("name", 2, "string"), ("value", 3, "string")),
    "ChunkedReadResponse": (("chunked_series", 1, "*ChunkedSeries"),),
    "ChunkedSeries": (("labels", 1, "*bytes"), ("chunks", 2, "*Chunk")),
    "Chunk": (("type", 3, "int32"), ("data", 4, "bytes")),
    "Label": (("name", 1, "string"), ("value", 2, "string")),
}
_TYPES = {
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "int64": _Field.TYPE_INT64,
    "int32": _Field.TYPE_INT32,
}
_PACKAGE = "sizewise.remote_read"


class CorruptAnswerError(ValueError):
    """An answer that is not what remote read promises."""


def request(matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> bytes:
    """The body of a request for the samples of [start_ms, end_ms]."""
    listed = [_LabelMatcher(type=one.type, name=one.name, value=one.value) for one in matchers]
    query = _Query(start_timestamp_ms=start_ms, end_timestamp_ms=end_ms, matchers=listed)
    body = _ReadRequest(queries=[query], accepted_response_types=[_XOR])
    return bytes(cramjam.snappy.compress_raw(body.SerializeToString()))


def series_in(body: bytes, start_ms: int, end_ms: int) -> list[Series]:
    """Every series with its samples of [start_ms, end_ms]. Raises CorruptAnswerError."""
    keys, chunks = _chunks(body)
    with _damage():
        return _series(keys, _per_series(chunks), xor.decode(_flat(chunks)), start_ms, end_ms)


def outlines_in(body: bytes, start_ms: int, end_ms: int) -> list[Series]:
    """Every series with the first sample of each chunk and all of the last one: enough to see what seldom changes, within
    two hours at a sample a minute, without decoding it all. Raises CorruptAnswerError."""
    keys, chunks = _chunks(body)
    with _damage():
        heads, last = xor.first_samples(_flat(chunks)), xor.decode([one[-1] for one in chunks])
    length = _per_series(chunks)
    ends = np.cumsum(length)
    kept = np.ones(len(heads.time_ms), np.bool_)
    kept[ends - 1] = False  # the last chunk's own first sample
    count = length - 1 + last.count
    place = np.repeat(ends - length - np.arange(len(keys)), last.count) + np.repeat(length - 1, last.count)
    samples = xor.Decoded(
        count,
        np.insert(heads.time_ms[kept], place, last.time_ms),
        np.insert(heads.value[kept], place, last.value),
    )
    return _series(keys, np.ones(len(keys), np.int64), samples, start_ms, end_ms)


def names_in(body: bytes, start_ms: int, end_ms: int) -> list[Series]:
    """Every series without its samples. Raises CorruptAnswerError."""
    keys, _ = _chunks(body)
    return [Series(key, _labels, _NO_TIMES, _NO_VALUES) for key in keys]


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except xor.CorruptChunkError as error:
        raise CorruptAnswerError(str(error)) from error


def _flat(chunks: Sequence[Sequence[bytes]]) -> list[bytes]:
    return list(chain.from_iterable(chunks))


def _per_series(chunks: Sequence[Sequence[bytes]]) -> Times:
    return np.fromiter(map(len, chunks), np.int64, len(chunks))


def _series(keys: Sequence[bytes], chunks: Times, samples: xor.Decoded, start_ms: int, end_ms: int) -> list[Series]:
    """chunks: how many of `samples.count` each series has. A chunk may reach out of the time that was asked for, and hold
    markers that are no samples."""
    if not keys:
        return []
    count = np.add.reduceat(samples.count, np.cumsum(chunks) - chunks)
    time_ms, value, of = samples.time_ms, samples.value, np.repeat(np.arange(len(keys)), count)
    good = (time_ms >= start_ms) & (time_ms <= end_ms) & (value.view(np.uint64) != _STALE)
    if not good.all():
        time_ms, value, of = time_ms[good], value[good], of[good]
    if ((np.diff(time_ms) <= 0) & (np.diff(of) == 0)).any():  # chunks overlap, as of samples that came out of order
        order = np.lexsort((time_ms, of))
        order = order[(np.diff(time_ms[order], prepend=-1) != 0) | (np.diff(of[order], prepend=-1) != 0)]
        time_ms, value, of = time_ms[order], value[order], of[order]
    bounds = np.searchsorted(of, np.arange(len(keys) + 1)).tolist()
    return [
        Series(key, _labels, time_ms[begin:end], value[begin:end])
        for key, (begin, end) in zip(keys, pairwise(bounds), strict=True)
        if end > begin
    ]


def _chunks(body: bytes) -> tuple[list[bytes], list[list[bytes]]]:
    """Keys of the series, and the chunks of samples of each."""
    keys: list[bytes] = []
    chunks: list[list[bytes]] = []
    for frame in _frames(body):
        try:
            answer = _ChunkedReadResponse.FromString(frame)
        except DecodeError as error:
            raise CorruptAnswerError(f"a frame of remote read that cannot be read: {error}") from error
        for series in answer.chunked_series:
            data = [chunk.data for chunk in series.chunks if chunk.type == _XOR]  # others are native histograms
            if not data:
                continue
            key = b"".join([len(label).to_bytes(4, "big") + label for label in series.labels])
            if keys and keys[-1] == key:  # it began in the frame before
                chunks[-1] += data
            else:
                keys.append(key)
                chunks.append(data)
    return keys, chunks


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


def _labels(key: bytes) -> Labels:
    found, at = {}, 0
    while at < len(key):
        size = int.from_bytes(key[at : at + 4], "big")
        label = _Label.FromString(key[at + 4 : at + 4 + size])
        found[label.name] = label.value
        at += 4 + size
    return found


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="sizewise/remote_read.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            plain = kind.removeprefix("*")
            added = message.field.add(name=field, number=number)
            added.label = _Field.LABEL_REPEATED if plain != kind else _Field.LABEL_OPTIONAL
            if plain in _TYPES:
                added.type = _TYPES[plain]
            else:
                added.type, added.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{plain}"
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


_ReadRequest, _Query, _LabelMatcher, _ChunkedReadResponse, _Label = map(
    _class, ("ReadRequest", "Query", "LabelMatcher", "ChunkedReadResponse", "Label")
)
