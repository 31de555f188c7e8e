"""Samples of many series at once: against loops over each of them."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.prometheus.sample_table import Keep, SampleTable

GAPS = st.lists(st.integers(1, 400), max_size=40)
Samples = list[tuple[int, float]]
STALE = struct.unpack(">d", bytes.fromhex("7ff0000000000002"))[0]


def table_of(all_samples: list[Samples]) -> SampleTable:
    times = [time for samples in all_samples for time, _ in samples]
    values = [value for samples in all_samples for _, value in samples]
    bounds = np.cumsum([0, *map(len, all_samples)])
    return SampleTable(bounds, np.array(times, np.int64), np.array(values, np.float64))


def read(table: SampleTable) -> list[Samples]:
    return [list(zip(times.tolist(), values.tolist(), strict=True)) for times, values in table.columns()]


@given(st.lists(GAPS, min_size=1, max_size=6), st.integers(30, 900))
def test_thinned_samples_keep_growth_and_peaks(all_gaps: list[list[int]], step_s: int) -> None:
    """Of each step, at its end, the newest, the highest or the lowest value; series never mix."""
    times = [(np.cumsum([1000, *gaps])[1:] * 1000).tolist() for gaps in all_gaps]
    series = [[(time, math.sin(time / 7000) * 100) for time in one] for one in times]
    step = step_s * 1000
    chosen: dict[Keep, Callable[[list[float]], float]] = {"newest": lambda of: of[-1], "highest": max, "lowest": min}
    for keep, choose in chosen.items():
        expected = []
        for samples in series:
            kept: dict[int, list[float]] = {}
            for time, value in samples:
                end = -(-time // step) * step
                kept.setdefault(end, []).append(value)
            expected.append([(end, choose(values)) for end, values in kept.items()])
        assert read(table_of(series).thinned(step, keep)) == expected


@given(st.lists(st.lists(st.integers(0, 50), max_size=20), min_size=1, max_size=5))
def test_samples_of_overlapping_chunks_are_put_in_order(all_times: list[list[int]]) -> None:
    """Each time once, and of equal times one that was written."""
    series = [[(time, float(place)) for place, time in enumerate(times)] for times in all_times]
    for samples, before in zip(read(table_of(series).ordered()), series, strict=True):
        assert [time for time, _ in samples] == sorted({time for time, _ in before})
        assert set(samples) <= set(before)


def test_markers_of_ended_series_are_no_samples() -> None:
    """A series that has nothing else is empty."""
    table = table_of([[(1, 1.0), (2, STALE)], [(1, STALE)], [(1, 2.0), (3, 3.0)]]).ordered()
    assert read(table) == [[(1, 1.0)], [], [(1, 2.0), (3, 3.0)]]


def test_both_ends_of_a_span_count() -> None:
    """[2, 4] of 1 to 5."""
    table = table_of([[(time, 0.0) for time in range(1, 6)], [(5, 1.0)], [(2, 1.0)]])
    assert [[time for time, _ in one] for one in read(table.between(2, 4))] == [[2, 3, 4], [], [2]]
