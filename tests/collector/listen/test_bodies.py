"""Bodies of both remote-write versions into columns, by position and by the parser alike."""

from __future__ import annotations

import gzip
import struct
from contextlib import suppress

import cramjam
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.listen.body import gunzip, unsnap
from collector.listen.protos import Request1, Request2, Series1, Series2
from collector.listen.refusal import RequestRefusedError
from collector.listen.remote_write import Reader, Reader1, Reader2
from collector.listen.wire import labels_of_1
from tests.collector.listen.bodies import Labels, Sent, body_1, body_2

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
_LABELS = st.dictionaries(_TEXT, _TEXT, max_size=6).map(lambda labels: {**labels, "__name__": "m"})
_TIMES = st.integers(-(2**40), 2**43)
_VALUES = st.one_of(st.floats(allow_nan=False), st.just(0.0))
_SERIES = st.lists(st.tuples(_LABELS, st.lists(st.tuples(_TIMES, _VALUES), max_size=3)), max_size=12)


class Numbers:
    """Numbers in order of appearance, and the labels they were given for."""

    def __init__(self) -> None:
        self.labels: list[Labels] = []

    def __call__(self, labels: Labels) -> int:
        if labels not in self.labels:
            self.labels.append(labels)
        return self.labels.index(labels)


def read(reader: Reader, body: bytes, numbers: Numbers) -> list[tuple[str, int, float]]:
    """(labels as text, time, value), sorted."""
    samples = reader.read(unsnap(body, 1 << 24), numbers).samples
    rows = zip(samples.series.tolist(), samples.time_ms.tolist(), samples.value.tolist(), strict=True)
    return sorted((str(sorted(numbers.labels[number].items())), time, value) for number, time, value in rows)


def meant(series: list[Sent]) -> list[tuple[str, int, float]]:
    return sorted((str(sorted(labels.items())), time, value) for labels, samples in series for time, value in samples)


@given(_SERIES)
def test_both_versions_read_what_was_written(series: list[Sent]) -> None:
    """Labels, times and values come back whatever they are: many samples or none, zeros, times of any length; and once
    more when every series is known."""
    for reader, make in ((Reader1(), body_1), (Reader2(), body_2)):
        numbers = Numbers()
        assert read(reader, make(series), numbers) == meant(series)
        assert read(reader, make(series), numbers) == meant(series)


@given(st.lists(_LABELS, min_size=1, max_size=8), st.randoms())
def test_2_0_series_are_known_whatever_numbers_their_symbols_have(labels: list[Labels], random: object) -> None:
    """The second body names the same labels by other references, as its symbols appear in another order."""
    reader, numbers = Reader2(), Numbers()
    series: list[Sent] = [(one, [(1_700_000_000_000, 1.0)]) for one in labels]
    read(reader, body_2(series), numbers)
    known = len(numbers.labels)
    assert read(reader, body_2(series[::-1]), numbers) == meant(series)
    assert len(numbers.labels) == known


def test_a_start_timestamp_is_read_over() -> None:
    """2.0 may say since when a counter counts: value and time of the sample are the same."""
    start = {"value": 5.0, "timestamp": 1_700_000_000_000, "start_timestamp": 1_600_000_000_000}
    for sample in (start, start | {"start_timestamp": 1}):
        one = Series2(labels_refs=[1, 2], samples=[sample]).SerializeToString()
        body = Request2(symbols=["", "__name__", "m"], timeseries=[one]).SerializeToString()
        samples = Reader2().read(body, lambda labels: 7).samples
        assert (samples.series[0], samples.time_ms[0], samples.value[0]) == (7, 1_700_000_000_000, 5.0)


def test_a_label_that_ends_like_a_sample_is_not_one() -> None:
    """A series without samples whose last label value is, byte for byte, a sample field: it has no sample."""
    fake = b"\x12\x10\x09" + b"12345678" + b"\x10" + b"\xc2\x80\xe0\xa0\x80\x01"
    assert read(Reader1(), body_1([({"__name__": "m", "z": "a" + fake.decode()}, [])]), Numbers()) == []
    assert labels_of_1(Series1(labels=[{"name": "a", "value": "b"}]).SerializeToString()[:-1]) is None


def test_stale_markers_are_nan() -> None:
    """Prometheus' stale marker is one NaN of many; it stays a NaN."""
    for reader, make in ((Reader1(), body_1), (Reader2(), body_2)):
        samples = reader.read(unsnap(make([({"__name__": "m"}, [(1_700_000_000_000, STALE)])]), 1 << 20), lambda _: 0)
        assert np.isnan(samples.samples.value).tolist() == [True]


@pytest.mark.parametrize(
    ("reader", "body"),
    [
        (Reader1(), b"\xff"),
        (Reader1(), Request1(timeseries=[b"\xff\xff"]).SerializeToString()),
        (Reader2(), b"\x2a\xff"),
        (Reader2(), Request2(symbols=[""], timeseries=[b"\x0a\x02\x05\x06"]).SerializeToString()),
        (Reader2(), Request2(symbols=["", "a"], timeseries=[b"\x0a\x01\x01"]).SerializeToString()),
        (Reader2(), Request2(symbols=["", "a"], timeseries=[b"\x0a\x01\x80"]).SerializeToString()),
        (Reader2(), Request2(symbols=["", "a"], timeseries=[b"\x0a\x7f\x01"]).SerializeToString()),
        (Reader2(), Request2(symbols=["", "a"], timeseries=[b""]).SerializeToString()),
    ],
)
def test_what_is_no_message_is_refused(reader: Reader, body: bytes) -> None:
    """Cut, foreign, references to symbols that are not there, or of an odd number: 400."""
    with pytest.raises(RequestRefusedError) as refused:
        reader.read(body, lambda labels: 0)
    assert refused.value.status == 400


@given(st.binary(max_size=200))
def test_hostile_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing but RequestRefusedError comes out, whatever goes in; also as a series of a well-formed request."""
    attempts: list[tuple[Reader, bytes]] = [
        (Reader1(), body),
        (Reader2(), body),
        (Reader1(), Request1(timeseries=[body]).SerializeToString()),
        (Reader2(), Request2(symbols=["", "a"], timeseries=[body]).SerializeToString()),
    ]
    for reader, attempt in attempts:
        with suppress(RequestRefusedError):
            reader.read(attempt, lambda labels: 0)


def test_a_bomb_is_refused_by_what_it_declares() -> None:
    """A snappy block of 9 bytes that declares 4 GiB, and a gzip stream of 16 MiB of zeros in 16 kB: both refused, the
    first before anything is unpacked, the second after one byte too many."""
    with pytest.raises(RequestRefusedError, match="max_unpacked_bytes") as refused:
        unsnap(b"\xff\xff\xff\xff\x0f" + b"\x00abc", 1 << 20)
    assert refused.value.status == 413
    bomb = bytes(cramjam.gzip.compress(bytes(16 << 20)))
    with pytest.raises(RequestRefusedError, match="max_unpacked_bytes"):
        gunzip(bomb, 1 << 20)


@given(st.binary(max_size=5000))
def test_gzip_within_bounds_comes_back(data: bytes) -> None:
    """A stream of at most max_bytes is whole; cut anywhere it is refused."""
    packed = bytes(cramjam.gzip.compress(data))
    assert gunzip(packed, len(data) or 1) == data
    with pytest.raises(RequestRefusedError):
        gunzip(packed[:-1], 1 << 20)


def test_members_of_gzip_follow_each_other() -> None:
    """RFC 1952: a file may be several; what comes after the first is not lost, nor is it out of bounds, nor may it be rubbish."""
    assert gunzip(gzip.compress(b"one ") + gzip.compress(b"two"), 7) == b"one two"
    with pytest.raises(RequestRefusedError, match="max_unpacked_bytes"):
        gunzip(gzip.compress(b"one ") + gzip.compress(b"two"), 6)
    for rubbish in (b"two", gzip.compress(b"two")[:-3], gzip.compress(b"") * 64):
        with pytest.raises(RequestRefusedError, match="gzip"):
            gunzip(gzip.compress(b"one ") + rubbish, 7)
