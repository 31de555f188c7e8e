"""Compressed chunks in columns: to the last bit what was written, whatever the bytes are no crash."""

from __future__ import annotations

import math
import struct
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.prometheus import xor
from collector.prometheus.messages import Pieces
from tests.collector.prometheus.chunk_writer import chunk_of

GAPS = st.one_of(st.just(60_000), st.integers(1, 200_000), st.integers(1, 2**40))
VALUES = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, 2.0, 1e9]), st.floats(0, 10))
SAMPLES = st.lists(st.tuples(GAPS, VALUES), min_size=1, max_size=30)
Samples = list[tuple[int, float]]


def pieces_of(chunks: list[bytes]) -> Pieces:
    """With bytes between them, as a chunk stands in an answer."""
    data = b"".join(b"\xff\xff\xff" + chunk for chunk in chunks)
    length = np.array([len(chunk) for chunk in chunks], np.int64)
    end = np.cumsum(length + 3)
    return Pieces(np.frombuffer(data, np.uint8), end - length, end)


def decode(chunks: list[bytes]) -> xor.Decoded:
    return xor.decode(pieces_of(chunks))


def timed(gaps: Samples) -> Samples:
    times = accumulate((gap for gap, _ in gaps), initial=1_700_000_000_000)
    return [(time, value) for time, (_, value) in zip(times, gaps, strict=False)]


@given(st.lists(SAMPLES, min_size=1, max_size=12))
def test_chunks_of_any_lengths_are_read_to_the_last_bit(all_gaps: list[Samples]) -> None:
    """Even and uneven times, jumps of years, every kind of float, NaN and infinity too: one chunk after another."""
    chunks = [timed(gaps) for gaps in all_gaps]
    found = decode([chunk_of(chunk) for chunk in chunks])
    assert found.count.tolist() == [len(chunk) for chunk in chunks]
    assert found.time_ms.tolist() == [time for chunk in chunks for time, _ in chunk]
    written = np.array([value for chunk in chunks for _, value in chunk])
    assert (found.value.view(np.uint64) == written.view(np.uint64)).all()


@given(st.lists(SAMPLES, min_size=1, max_size=5))
def test_first_samples_are_those_of_the_whole(all_gaps: list[Samples]) -> None:
    """Without reading on."""
    chunks = [timed(gaps) for gaps in all_gaps]
    found = xor.first_samples(pieces_of([chunk_of(chunk) for chunk in chunks]))
    assert found.time_ms.tolist() == [chunk[0][0] for chunk in chunks]
    assert found.count.tolist() == [1] * len(chunks)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=6))
def test_bytes_that_are_no_chunk_are_refused_or_read(chunks: list[bytes]) -> None:
    """Never another error, and never more samples than their bits could hold."""
    try:
        found = decode(chunks)
    except xor.CorruptChunkError:
        return
    assert len(found.time_ms) == found.count.sum() <= 4 * sum(map(len, chunks))


@pytest.mark.parametrize("cut", range(0, 20, 3))
def test_a_chunk_that_was_cut_short_is_refused(cut: int) -> None:
    """Beside a whole one, whichever comes last."""
    whole = chunk_of([(60_000 * i, math.sqrt(i)) for i in range(1, 10)])
    for chunks in ([whole, whole[:cut]], [whole[:cut], whole]):
        with pytest.raises(xor.CorruptChunkError):
            decode(chunks)


def test_a_chunk_that_names_impossible_bits_is_refused() -> None:
    """31 leading zeros and 64 kept bits."""
    head = struct.pack(">H", 2) + b"\x00" + struct.pack(">d", 1.0) + b"\x01"
    with pytest.raises(xor.CorruptChunkError, match="64 bits"):
        decode([head + bytes([0b11111110, 0]) + bytes(20)])


def test_no_chunk_has_no_sample() -> None:
    """An answer without a series is an answer."""
    assert len(decode([]).time_ms) == 0
