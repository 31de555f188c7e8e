"""Samples into columns: nothing is lost, nothing made up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from collector.names.table import CADVISOR, DCGM
from collector.prometheus.answer import decoded
from collector.prometheus.timeline import (
    Span,
    Timeline,
    aligned,
    fitted,
    grown,
    levels,
    rates,
    shares,
    timeline,
    total,
)

CPU = next(foreign for foreign in CADVISOR if foreign.signal == "cpu_cores")
SM = next(foreign for foreign in DCGM if foreign.signal == "sm_active_ratio")
GAPS = st.lists(st.integers(1, 200), min_size=1, max_size=30)
NAN = math.nan


def times_of(gaps: list[int]) -> NDArray[np.int64]:
    """Ascending times from 1,000 s on, in ms."""
    return np.cumsum([1000, *gaps]) * 1000


def line_of(seconds: list[int], after_s: int, until_s: int = 10**9, gap_s: int = 600) -> Timeline:
    return timeline(np.array(seconds) * 1000, Span(after_s * 1000, until_s * 1000, gap_s * 1000))


def floats(*values: float) -> NDArray[np.float64]:
    return np.array(values, np.float64)


def same(column: NDArray[np.float64], *expected: float) -> bool:
    return np.array_equal(column, expected, equal_nan=True)


@given(GAPS, st.data())
def test_spans_that_follow_each_other_hold_each_sample_once(gaps: list[int], data: st.DataObject) -> None:
    """Cut anywhere into two spans, the second beginning with a baseline: the rows are those of one span."""
    times = times_of(gaps)
    middle = data.draw(st.sampled_from(times.tolist()))
    whole = timeline(times, Span(999_000, 10**12, 120_000))
    first = timeline(times[times <= middle], Span(999_000, middle, 120_000))
    second = timeline(times[times > middle - 120_000], Span(middle, 10**12, 120_000))
    assert [*first.time_ms, *second.time_ms] == whole.time_ms.tolist() == times.tolist()
    assert len(whole) == len(whole.interval_ms) == len(times)


@given(GAPS, st.lists(st.floats(0, 1e6), min_size=31, max_size=31))
def test_rates_add_up_to_what_the_counter_grew(gaps: list[int], growths: list[float]) -> None:
    """Sum of rate times span is the counter's last value less its first."""
    times = times_of(gaps)
    values = np.cumsum([0.0, *growths[: len(gaps)]])
    line = timeline(times, Span(999_000, 10**12, 10**9))
    column = rates(values, line)
    assert math.isnan(column[0])
    assert (column[1:] * line.interval_ms[1:] / 1000).sum() == pytest.approx(values[-1], rel=1e-9, abs=1e-6)


def test_a_reset_counter_counts_what_has_come_since_zero() -> None:
    """5, 8, then 2 after a restart, then 4: grown by 3, 2 and 2."""
    line = line_of([0, 60, 120, 180], after_s=0)
    assert same(grown(floats(5, 8, 2, 4), line), 3, 2, 2)


def test_a_long_silence_breaks_the_line() -> None:
    """After 20 minutes nothing is known of the time between: no rate, and a span of the usual minute."""
    line = line_of([60, 120, 1320, 1380], after_s=0)
    assert line.broken.tolist() == [0, 2]
    assert line.interval_ms.tolist() == [60_000] * 4
    assert same(rates(floats(0, 6, 600, 606), line), NAN, 0.1, NAN, 0.1)


def test_samples_before_the_span_are_baselines_only() -> None:
    """Of three samples two lie in the span; the first of them has a rate because of the one before."""
    line = line_of([60, 120, 180], after_s=60)
    assert line.time_ms.tolist() == [120_000, 180_000]
    assert same(rates(floats(0, 60, 180), line), 1, 2)
    assert same(levels(floats(7, 8, 9), line), 8, 9)


def test_a_span_without_a_sample_has_no_row() -> None:
    """Baselines alone, and nothing at all."""
    assert len(line_of([60, 120], after_s=120)) == len(line_of([], after_s=0)) == 0


def test_shares_are_of_periods_that_passed() -> None:
    """Throttled in 3 of 10 periods, then none passed."""
    line = line_of([60, 120, 180], after_s=60)
    assert same(shares(floats(0, 3, 3), floats(0, 10, 10), line), 0.3, 0)


def test_columns_add_up_where_there_are_values() -> None:
    """A disk that was away adds nothing; without any disk there is no value."""
    assert same(total([floats(1, NAN, NAN), floats(2, 3, NAN)]), 3, 3, NAN)


@given(GAPS, GAPS, st.lists(st.floats(0, 1e6), min_size=31, max_size=31))
def test_a_counter_read_at_other_times_keeps_its_growth(
    gaps: list[int], others: list[int], growths: list[float]
) -> None:
    """Between the first and last time inside the counter's own, the growth is what a straight line through its samples
    says, and it never falls."""
    times, values = times_of(gaps), np.cumsum([0.0, *growths[: len(gaps)]])
    line = timeline(times_of(others), Span(999_000, 10**12, 10**9))
    read = aligned(times, values, line, counter=True)
    read = read[~np.isnan(read)]
    assert (np.diff(read) >= -1e-9 * values[-1]).all()
    assert ((read >= 0) & (read <= values[-1] * (1 + 1e-12))).all()


def test_of_a_level_between_two_rows_the_highest_counts() -> None:
    """Samples at 30, 50 and 90 s for rows at 60 and 120 s: 5 and 7; for a row with none near it, nothing."""
    line = line_of([60, 120, 180], after_s=0)
    assert same(aligned(np.array([30, 50, 90]) * 1000, floats(5, 4, 7), line, counter=False), 5, 7, NAN)


@pytest.mark.parametrize(
    ("column", "expected", "clamped"),
    [
        ([0.5, 1.0], [0.5, 1.0], 0),
        ([0.5, 1.01, NAN], [0.5, 1.0, NAN], 1),
        ([math.inf, 0.5], [NAN, 0.5], 0),
        ([-0.1, 0.5], [NAN, 0.5], 0),
        ([140737488355328.0, 9223372036854775794.0, 2147483632.0, 0.5], [NAN, NAN, NAN, 0.5], 0),
        ([NAN, NAN], [NAN, NAN], 0),
    ],
)
def test_ratios_are_clamped_and_what_is_none_is_missing(
    column: list[float], expected: list[float], clamped: int
) -> None:
    """A ratio above 1 is 1 and counted; NaN, blank and negative values are missing."""
    found, count = fitted(SM, floats(*column), 1.0)
    assert same(found, *expected)
    assert count == clamped


def test_more_cores_than_any_machine_has_are_no_measurement() -> None:
    """5,000 cores: left out and counted."""
    found, count = fitted(CPU, floats(1.0, 5000.0), 4096)
    assert same(found, 1.0, NAN)
    assert count == 1


def test_answers_are_read_to_the_last_bit() -> None:
    """Text in JSON becomes the nearest float, infinity too; times keep their milliseconds. An instant is one sample."""
    body = (
        b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},'
        b'"values":[[1700000000.123,"0.30000000000000004"],[1700000060,"+Inf"]]},{"metric":{},"value":[1,"2.5"]}]}}'
    )
    series, instant = decoded(body)["data"]["result"]
    assert series.labels() == {"a": "b"}
    assert series.time_ms.tolist() == [1700000000123, 1700000060000]
    assert same(series.value, 0.30000000000000004, math.inf)
    assert (instant.time_ms.tolist(), instant.number()) == ([1000], 2.5)
    assert decoded(b'{"status":"success","data":["a","b"]}') == {"data": ["a", "b"]}
