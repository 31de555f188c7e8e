"""Remote read: the server's own compressed chunks, which cost it a tenth of what an answer in JSON does.

`POST /api/v1/read` with the response type STREAMED_XOR_CHUNKS. Prometheus since 2.13 and Mimir speak it; who does not,
answers an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cramjam
import numpy as np
from numpy.typing import NDArray

from collector.prometheus import xor
from collector.prometheus.answer import Labels, Series, Times
from collector.prometheus.chunked_answer import ChunkedSeries, chunked_series
from collector.prometheus.messages import CorruptMessageError
from collector.prometheus.sample_table import Keep, SampleTable
from collector.prometheus.selector import Matcher
from collector.protobuf import Fields, message_classes

HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}
STREAMED = "application/x-streamed-protobuf"
_STREAMED_XOR_CHUNKS = 1
_AT_ONCE = 1 << 19
"""Samples decoded and thinned together: 8 MB."""
Span = tuple[int, int]
"""Milliseconds of which samples are wanted, both ends with them."""
_MESSAGES: dict[str, Fields] = {
    "ReadRequest": (("queries", 1, "*Query"), ("accepted_response_types", 2, "*int32")),
    "Query": (("start_timestamp_ms", 1, "int64"), ("end_timestamp_ms", 2, "int64"), ("matchers", 3, "*LabelMatcher")),
    "LabelMatcher": (("type", 1, "int32"), ("name", 2, "string"), ("value", 3, "string")),
    "Labels": (("labels", 1, "*Label"),),
    "Label": (("name", 1, "string"), ("value", 2, "string")),
}


class CorruptAnswerError(ValueError):
    """An answer that is not what remote read promises."""


def request(matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> bytes:
    """The body of a request for the samples of [start_ms, end_ms]."""
    listed = [_LabelMatcher(type=one.type, name=one.name, value=one.value) for one in matchers]
    query = _Query(start_timestamp_ms=start_ms, end_timestamp_ms=end_ms, matchers=listed)
    body = _ReadRequest(queries=[query], accepted_response_types=[_STREAMED_XOR_CHUNKS])
    return bytes(cramjam.snappy.compress_raw(body.SerializeToString()))


def series_in(body: bytes, span_ms: Span, step_ms: int = 0, keep: Keep = "newest") -> list[Series]:
    """Every series with its samples of [start_ms, end_ms]; with `step_ms` one for each step that ends there, as in
    `SampleTable.thinned`. Raises CorruptAnswerError."""
    found: list[Series] = []
    with _errors():
        for part in _parts(chunked_series(body)):
            decoded = xor.decode(part.chunks)
            table = SampleTable(_bounds(decoded.count, part.length), decoded.time_ms, decoded.value).ordered()
            table = table.thinned(step_ms, keep) if step_ms else table
            found += _listed(part.keys, table.between(*span_ms))
    return found


def outlines_in(body: bytes, span_ms: Span) -> list[Series]:
    """Every series with the first sample of each chunk and all of the last one: enough to see what seldom changes, within
    two hours at a sample a minute, without decoding it all. Raises CorruptAnswerError."""
    with _errors():
        series = chunked_series(body)
        ends = np.cumsum(series.length)
        heads, last = xor.first_samples(series.chunks), xor.decode(series.chunks.take(ends - 1))
    if not (heads.count.all() and last.count.all()):
        raise CorruptAnswerError("a chunk without a sample")
    kept = np.ones(len(heads.time_ms), np.bool_)
    kept[ends - 1] = False  # the last chunk's own first sample
    place = np.repeat(ends - np.arange(1, len(ends) + 1), last.count)
    table = SampleTable(
        np.append(0, np.cumsum(series.length - 1 + last.count)),
        np.insert(heads.time_ms[kept], place, last.time_ms),
        np.insert(heads.value[kept], place, last.value),
    )
    return _listed(series.keys, table.ordered().between(*span_ms))


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (CorruptMessageError, xor.CorruptChunkError) as error:
        raise CorruptAnswerError(f"no answer of remote read: {error}") from error


def _bounds(count: Times, length: Times) -> NDArray[np.intp]:
    """Where each series begins and ends. count: samples of each chunk; length: chunks of each series."""
    samples = np.append(0, np.cumsum(count))
    bounds: NDArray[np.intp] = samples[np.append(0, np.cumsum(length))]
    return bounds


def _listed(keys: Sequence[bytes], table: SampleTable) -> list[Series]:
    """Series that have a sample."""
    columns = zip(keys, table.columns(), strict=True)
    return [Series(key, _labels, time_ms, value) for key, (time_ms, value) in columns if len(time_ms)]


def _parts(series: ChunkedSeries) -> Iterator[ChunkedSeries]:
    """Whole series with about `_AT_ONCE` samples together: what is decoded at once is thinned while it is at hand."""
    ends = np.cumsum(series.length)
    samples = np.cumsum(xor.samples_in(series.chunks))[ends - 1]
    begin = place = taken = 0
    while begin < len(ends):
        until = max(int(np.searchsorted(samples, taken + _AT_ONCE, side="right")), begin + 1)
        part, chunks = slice(begin, until), series.chunks.take(slice(place, int(ends[until - 1])))
        yield ChunkedSeries(series.keys[part], series.length[part], chunks)
        begin, place, taken = until, int(ends[until - 1]), int(samples[until - 1])


def _labels(key: bytes) -> Labels:
    return {label.name: label.value for label in _Labels.FromString(key).labels}


_CLASSES = message_classes("sizewise.remote_read", _MESSAGES)
_ReadRequest, _Query, _LabelMatcher, _Labels = (
    _CLASSES[name] for name in ("ReadRequest", "Query", "LabelMatcher", "Labels")
)
