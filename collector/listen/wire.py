"""Remote-write bodies into columns. 2,000 series are a few calls of numpy, not 2,000 of Python.

Prometheus sends each sample as a series of its own: labels, then one sample (2.0: then metadata). Such a series is read
by position: the sample's bytes are where its end says, and what is before them is the key under which the series is
known. That is no guess: a key is taken in only after all of it was parsed as labels, and protobuf is read from front to
back, so a known key followed by a well-formed sample has no other meaning. Everything else goes through the parser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from collector.listen.protos import Series1
from collector.listen.refusal import RequestRefusedError

Bytes = NDArray[np.uint8]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

_PAD = 24
"""Zero bytes around a buffer, so that reading past either end reads zeros and matches nothing."""
_SAMPLE, _VALUE, _TIME, _START = 0x12, 0x09, 0x10, 0x18  # protobuf tags: field number * 8 + wire type
_WITH_VALUE, _ZERO = 18, 9
"""Bytes of a sample field with its tag and length. A value of 0 is left out; a time from 1971 to 2109 has 6 bytes."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples as columns of one length n: `series[i]` indexes the keys they came with."""

    series: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]

    def take(self, rows: Mask) -> Samples:
        return Samples(self.series[rows], self.time_ms[rows], self.value[rows])

    def finite(self) -> Samples:
        """Infinities and every kind of NaN, Prometheus' stale marker among them, as one quiet NaN: no value."""
        return Samples(self.series, self.time_ms, np.where(np.isfinite(self.value), self.value, np.nan))

    @classmethod
    def of(cls, series: Sequence[int], time_ms: Sequence[int], value: Sequence[float]) -> Samples:
        return cls(np.array(series, np.int32), np.array(time_ms, np.int64), np.array(value, np.float64))

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        if not parts:
            return cls.of((), (), ())
        columns = ([getattr(part, name) for part in parts] for name in cls.__slots__)
        return cls(*map(np.concatenate, columns))


@dataclass(frozen=True, slots=True)
class Tails:
    """One sample of each series, read by position. good: where it was one."""

    good: Mask
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Joined:
    """Series one after another in one padded buffer."""

    buffer: Bytes
    start: Indices
    end: Indices

    @classmethod
    def of(cls, series: Sequence[bytes]) -> Joined:
        pad = bytes(_PAD)
        end = np.cumsum(np.fromiter(map(len, series), np.int64, len(series))) + _PAD
        start = np.concatenate([np.array([_PAD], np.int64), end[:-1]]) if len(end) else end
        return cls(np.frombuffer(b"".join([pad, *series, pad]), np.uint8), start, end)


def tails_of_1(joined: Joined) -> tuple[Tails, Indices]:
    """The sample at the end of each series of a 1.0 body, and how many bytes it takes."""
    buffer, end = joined.buffer, joined.end
    with_value = (buffer[end - _WITH_VALUE] == _SAMPLE) & (buffer[end - _WITH_VALUE + 1] == _WITH_VALUE - 2)
    zero = (buffer[end - _ZERO] == _SAMPLE) & (buffer[end - _ZERO + 1] == _ZERO - 2)
    length = np.where(with_value, _WITH_VALUE, _ZERO)
    tails = samples_at(buffer, end - length + 2, end)
    inside = end - length >= joined.start
    return Tails(tails.good & (with_value | zero) & inside, tails.time_ms, tails.value), length


def samples_at(buffer: Bytes, start: Indices, end: Indices) -> Tails:
    """Samples whose fields are at [start, end): value, time, and in 2.0 perhaps the start of the counter."""
    has_value = buffer[start] == _VALUE
    raw = buffer[start[:, None] + np.arange(1, 9)]
    value = np.where(has_value, np.ascontiguousarray(raw).view("<f8")[:, 0], 0.0)
    at = start + 9 * has_value
    digits = buffer[at[:, None] + np.arange(1, 7)]
    six = (digits[:, :5] >= 0x80).all(axis=1) & (digits[:, 5] < 0x80)
    time_ms = ((digits.astype(np.int64) & 0x7F) << np.arange(0, 42, 7)).sum(axis=1)
    after = at + 7
    started = (buffer[after] == _START) & (end - after == 7) & (buffer[end - 1] < 0x80)
    good = (buffer[at] == _TIME) & six & ((after == end) | started)
    return Tails(good, time_ms, value)


def parsed(message: Any, data: bytes, what: str) -> Any:
    """The message in these bytes. Raises RequestRefusedError."""
    try:
        return message.FromString(data)
    except DecodeError as error:
        raise RequestRefusedError(400, f"the body is no {what}: {error}") from error


def labels_of_1(key: bytes) -> dict[str, str] | None:
    """The labels in a key of a 1.0 body; None when it is not labels alone."""
    try:
        series = Series1.FromString(key)
    except DecodeError:
        return None
    if series.samples or series.exemplars or series.histograms:
        return None
    return {label.name: label.value for label in series.labels}
