"""Remote-write 1.0 and 2.0: one body in, samples of known series out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from collector.listen.keys import KeyCache, SymbolTable
from collector.listen.protos import Request1, Request2, Series1, Series2
from collector.listen.refusal import RequestRefusedError
from collector.listen.wire import Indices, Joined, Samples, labels_of_1, parsed, samples_at, tails_of_1

Labels = dict[str, str]
Register = Callable[[Labels], int]
"""Labels to the number of their series; negative: why there is none."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one body held. `samples.series` are numbers of series, or negative."""

    samples: Samples
    histograms: int = 0
    exemplars: int = 0


class Reader(Protocol):
    """Reads bodies of one version."""

    def read(self, body: bytes, register: Register) -> Written:
        """Raises RequestRefusedError when the body as a whole cannot be read."""

    def forget(self, numbers: set[int]) -> None:
        """These numbers of series will be given to others."""


class Reader1:
    """`prometheus.WriteRequest`."""

    def __init__(self) -> None:
        self._keys = KeyCache()

    def forget(self, numbers: set[int]) -> None:
        self._keys.forget(numbers)

    def read(self, body: bytes, register: Register) -> Written:
        series = _series(Request1, body, "prometheus.WriteRequest")[1]
        if not series:
            return Written(Samples.of((), (), ()))
        tails, length = tails_of_1(Joined.of(series))
        keys = [one[:-n] for one, n in zip(series, length.tolist(), strict=True)]
        numbers = self._keys.find(keys)
        good = tails.good.tolist()
        odd = [i for i, known in enumerate(good) if not (known and self._settled(numbers, i, keys[i], register))]
        if not odd:
            return Written(Samples(np.array(numbers, np.int32), tails.time_ms, tails.value))
        return self._with_odd(series, numbers, tails.time_ms, tails.value, odd, register)

    def _settled(self, numbers: list[int | None], i: int, key: bytes, register: Register) -> bool:
        """Whether series i has a number, now that a new key was looked at."""
        if numbers[i] is None:
            labels = labels_of_1(key)
            if labels is None:
                return False
            numbers[i] = self._add(key, labels, register)
        return True

    def _add(self, key: bytes, labels: Labels, register: Register) -> int:
        number = register(labels)
        self._keys.add(key, number)
        return number

    def _with_odd(
        self,
        series: Sequence[bytes],
        numbers: list[int | None],
        time_ms: Indices,
        value: NDArray[np.float64],
        odd: Sequence[int],
        register: Register,
    ) -> Written:
        """The columns without the odd series, and those as the parser sees them."""
        left = np.ones(len(series), np.bool_)
        left[odd] = False
        known = [number for number, keep in zip(numbers, left.tolist(), strict=True) if keep]
        extra: list[tuple[int, Any]] = []
        for i in odd:
            message = parsed(Series1, series[i], "prometheus.TimeSeries")
            key = Series1(labels=message.labels).SerializeToString()
            number = self._keys.find([key])[0]
            if number is None:
                number = self._add(key, {label.name: label.value for label in message.labels}, register)
            extra.append((number, message))
        return _written(known, time_ms[left], value[left], extra)


class Reader2:
    """`io.prometheus.write.v2.Request`."""

    def __init__(self) -> None:
        self._keys, self._symbols = KeyCache(), SymbolTable()

    def forget(self, numbers: set[int]) -> None:
        self._keys.forget(numbers)

    def read(self, body: bytes, register: Register) -> Written:
        request, series = _series(Request2, body, "io.prometheus.write.v2.Request")
        if not series:
            return Written(Samples.of((), (), ()))
        if len(request.symbols) > MAX_SYMBOLS:
            raise RequestRefusedError(413, f"{len(request.symbols)} symbols in one body; at most {MAX_SYMBOLS}")
        if self._symbols.full():
            self._symbols.clear()
            self._keys.clear()
        symbols = np.array(self._symbols.numbers(list(request.symbols)), np.uint32)
        shape = _shape_2(Joined.of(series))
        keys = _keys_2(shape, symbols)
        numbers: list[int] = []
        for key, number in zip(keys, self._keys.find(keys), strict=True):
            numbers.append(self._number(key, register) if number is None else number)
        known = [number for number, good in zip(numbers, shape.good.tolist(), strict=True) if good]
        odd = [
            (numbers[i], parsed(Series2, series[i], "io.prometheus.write.v2.TimeSeries"))
            for i in np.flatnonzero(~shape.good).tolist()
        ]
        return _written(known, shape.time_ms[shape.good], shape.value[shape.good], odd)

    def _number(self, key: bytes, register: Register) -> int:
        texts = self._symbols.texts(np.frombuffer(key, np.uint32).tolist())
        number = register(dict(zip(texts[::2], texts[1::2], strict=True)))
        self._keys.add(key, number)
        return number


MAX_SERIES, MAX_SYMBOLS, MAX_SERIES_BYTES = 200_000, 1_000_000, 256 << 10
"""Of one body. An empty series takes two bytes on the wire and fifty here, so bytes alone are no bound. 256 KiB hold 64
labels of 4 KiB, or 14,000 samples."""


def _series(message: Any, body: bytes, name: str) -> tuple[Any, Sequence[bytes]]:
    """The request and its series, each still encoded. Raises RequestRefusedError."""
    request = parsed(message, body, name)
    if request.foreign:
        raise RequestRefusedError(400, f"the content type says {name} and the body is of the other version")
    if len(request.timeseries) > MAX_SERIES:
        raise RequestRefusedError(413, f"{len(request.timeseries)} series in one body; at most {MAX_SERIES}")
    series = list(request.timeseries)
    if max(map(len, series), default=0) > MAX_SERIES_BYTES:
        raise RequestRefusedError(413, f"a series of more than {MAX_SERIES_BYTES} bytes; send fewer samples at once")
    return request, series


@dataclass(frozen=True, slots=True)
class _Shape2:
    """refs: label references of all series in a row; bounds[i], bounds[i + 1]: those of series i. good: whether the
    rest is one sample and metadata."""

    refs: NDArray[np.uint32]
    bounds: Indices
    good: NDArray[np.bool_]
    time_ms: Indices
    value: NDArray[np.float64]


_REFS, _SAMPLE, _METADATA = 0x0A, 0x12, 0x2A


def _shape_2(joined: Joined) -> _Shape2:
    """Where things are in each series: references, sample, metadata, in the order of their numbers as all write them."""
    buffer, start, end = joined.buffer, joined.start, joined.end
    two = buffer[start + 1] >= 0x80  # a length of 128 to 16,383 takes two bytes
    length = np.where(two, (buffer[start + 1] & 0x7F) + (buffer[start + 2].astype(np.int64) << 7), buffer[start + 1])
    refs_at = start + 2 + two
    refs_end = refs_at + length
    if ((buffer[start] != _REFS) | (two & (buffer[start + 2] >= 0x80)) | (refs_end > end) | (length == 0)).any():
        raise RequestRefusedError(400, "a series does not begin with its labels_refs, packed")
    refs, bounds = _varints(buffer, refs_at, refs_end)
    sample_at = refs_end + 2
    sample_end = np.minimum(sample_at + buffer[refs_end + 1], end)
    tails = samples_at(buffer, sample_at, sample_end)
    metadata = (buffer[sample_end] == _METADATA) & (sample_end + 2 + buffer[sample_end + 1] == end)
    good = (buffer[refs_end] == _SAMPLE) & (sample_end > sample_at) & tails.good & ((sample_end == end) | metadata)
    return _Shape2(refs, bounds, good & (refs_end < end), tails.time_ms, tails.value)


def _varints(buffer: NDArray[np.uint8], start: Indices, end: Indices) -> tuple[NDArray[np.uint32], Indices]:
    """The packed varints of [start, end) of all series, and where those of each begin: [n + 1]."""
    length = end - start
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(length)])
    data = buffer[np.repeat(start - offsets[:-1], length) + np.arange(offsets[-1])]
    last = data < 0x80
    if not last[offsets[1:] - 1].all():
        raise RequestRefusedError(400, "labels_refs end within a number")
    ends = np.flatnonzero(last)
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
    size = ends - starts + 1
    if size.max() > 4:
        raise RequestRefusedError(400, "a reference in labels_refs is above 268435455")
    padded = np.concatenate([data, np.zeros(4, np.uint8)])
    value = np.zeros(len(ends), np.uint32)
    for digit in range(int(size.max())):
        part = (padded[starts + digit] & 0x7F).astype(np.uint32) << np.uint32(7 * digit)
        value |= np.where(size > digit, part, np.uint32(0))
    return value, np.concatenate([np.zeros(1, np.int64), np.cumsum(last)[offsets[1:] - 1]])


def _keys_2(shape: _Shape2, symbols: NDArray[np.uint32]) -> list[bytes]:
    """Each series' labels as numbers of the symbol table, four bytes each."""
    if (np.diff(shape.bounds) % 2).any():
        raise RequestRefusedError(400, "labels_refs has an odd length; it holds names and values in pairs")
    if len(symbols) <= int(shape.refs.max()):
        raise RequestRefusedError(400, f"labels_refs names symbol {shape.refs.max()}; there are {len(symbols)}")
    raw = symbols[shape.refs].tobytes()
    bounds = (shape.bounds * 4).tolist()
    return [raw[a:b] for a, b in pairwise(bounds)]


def _written(known: Sequence[int | None], time_ms: Indices, value: NDArray[np.float64], odd: Sequence[Any]) -> Written:
    """Columns read by position and, behind them, samples of parsed series."""
    rows = [(number, sample.timestamp, sample.value) for number, one in odd for sample in one.samples]
    plain = Samples(np.array(known, np.int32), time_ms, value)
    more = Samples.of(*map(list, zip(*rows, strict=True))) if rows else Samples.of((), (), ())
    histograms = sum(len(one.histograms) for _, one in odd)
    return Written(Samples.joined([plain, more]), histograms, sum(len(one.exemplars) for _, one in odd))
