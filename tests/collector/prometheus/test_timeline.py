"""Samples into columns: nothing is lost, nothing made up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.names.table import CADVISOR, DCGM
from collector.prometheus.answer import decoded
from collector.prometheus.timeline import Span, aligned, fitted, grown, levels, rates, shares, timeline, total

CPU = next(foreign for foreign in CADVISOR if foreign.signal == "cpu_cores")
SM = next(foreign for foreign in DCGM if foreign.signal == "sm_active_ratio")
GAPS = st.lists(st.integers(1, 200), min_size=1, max_size=30)


def times_of(gaps: list[int]) -> tuple[float, ...]:
    """Ascending times from 1,000 s on."""
    times = [1000.0]
    for gap in gaps:
        times.append(times[-1] + gap)
    return tuple(times)


@given(GAPS, st.data())
def test_spans_that_follow_each_other_hold_each_sample_once(gaps: list[int], data: st.DataObject) -> None:
    """Cut anywhere into two spans, the second beginning with a baseline: the rows are those of one span."""
    times = times_of(gaps)
    middle = data.draw(st.sampled_from(times))
    whole = timeline(times, Span(999, 1e9, 120))
    first = timeline(tuple(t for t in times if t <= middle), Span(999, middle, 120))
    second = timeline(tuple(t for t in times if t > middle - 120), Span(middle, 1e9, 120))
    assert [*first.time_ms, *second.time_ms] == whole.time_ms == [round(t * 1000) for t in times]
    assert len(whole) == len(whole.interval_ms) == len(whole.seconds)


@given(GAPS, st.lists(st.floats(0, 1e6), min_size=31, max_size=31))
def test_rates_add_up_to_what_the_counter_grew(gaps: list[int], growths: list[float]) -> None:
    """Sum of rate times span is the counter's last value less its first."""
    times = times_of(gaps)
    values = [0.0]
    for growth in growths[: len(gaps)]:
        values.append(values[-1] + growth)
    line = timeline(times, Span(999, 1e9, 1e6))
    column = rates(values, line)
    assert column[0] is None
    used = sum(rate * seconds for rate, seconds in zip(column[1:], line.seconds[1:], strict=True) if rate is not None)
    assert used == pytest.approx(values[-1], rel=1e-9, abs=1e-6)


def test_a_reset_counter_counts_what_has_come_since_zero() -> None:
    """5, 8, then 2 after a restart, then 4: grown by 3, 2 and 2."""
    line = timeline((0.0, 60.0, 120.0, 180.0), Span(0, 180, 600))
    assert grown((5.0, 8.0, 2.0, 4.0), line) == [3.0, 2.0, 2.0]


def test_a_long_silence_breaks_the_line() -> None:
    """After 20 minutes nothing is known of the time between: no rate, and a span of the usual minute."""
    line = timeline((60.0, 120.0, 1320.0, 1380.0), Span(0, 2000, 600))
    assert line.broken == [0, 2]
    assert line.interval_ms == [60_000] * 4
    assert rates((0.0, 6.0, 600.0, 606.0), line) == [None, 0.1, None, 0.1]


def test_samples_before_the_span_are_baselines_only() -> None:
    """Of three samples two lie in the span; the first of them has a rate because of the one before."""
    line = timeline((60.0, 120.0, 180.0), Span(60, 180, 600))
    assert line.time_ms == [120_000, 180_000]
    assert rates((0.0, 60.0, 180.0), line) == [1.0, 2.0]
    assert levels((7.0, 8.0, 9.0), line) == [8.0, 9.0]


def test_shares_are_of_periods_that_passed() -> None:
    """Throttled in 3 of 10 periods, then none passed."""
    line = timeline((60.0, 120.0, 180.0), Span(60, 180, 600))
    assert shares((0.0, 3.0, 3.0), (0.0, 10.0, 10.0), line) == [0.3, 0.0]


def test_columns_add_up_where_there_are_values() -> None:
    """A disk that was away adds nothing; without any disk there is no value."""
    assert total([[1.0, None, None], [2.0, 3.0, None]]) == [3.0, 3.0, None]


@given(GAPS, GAPS, st.lists(st.floats(0, 1e6), min_size=31, max_size=31))
def test_a_counter_read_at_other_times_keeps_its_growth(
    gaps: list[int], others: list[int], growths: list[float]
) -> None:
    """Between the first and last time inside the counter's own, the growth is what a straight line through its samples
    says, and it never falls."""
    times, values = times_of(gaps), [0.0]
    for growth in growths[: len(gaps)]:
        values.append(values[-1] + growth)
    line = timeline(times_of(others), Span(999, 1e9, 1e6))
    read = [value for value in aligned(times, values, line, counter=True) if not math.isnan(value)]
    assert read == sorted(read)
    assert all(0 <= value <= values[-1] for value in read)


def test_of_a_level_between_two_rows_the_highest_counts() -> None:
    """Samples at 30, 50 and 90 s for rows at 60 and 120 s: 5 and 7; for a row with none near it, nothing."""
    line = timeline((60.0, 120.0, 180.0), Span(0, 180, 600))
    read = aligned((30.0, 50.0, 90.0), (5.0, 4.0, 7.0), line, counter=False)
    assert read[:2] == [5.0, 7.0]
    assert math.isnan(read[2])


@pytest.mark.parametrize(
    ("column", "expected", "clamped"),
    [
        ([0.5, 1.0], [0.5, 1.0], 0),
        ([0.5, 1.01, None], [0.5, 1.0, None], 1),
        ([math.nan, 0.5], [None, 0.5], 0),
        ([-0.1, 0.5], [None, 0.5], 0),
        ([140737488355328.0, 9223372036854775794.0, 0.5], [None, None, 0.5], 0),
        ([None, None], [None, None], 0),
    ],
)
def test_ratios_are_clamped_and_what_is_none_is_missing(
    column: list[float | None], expected: list[float | None], clamped: int
) -> None:
    """A ratio above 1 is 1 and counted; NaN, blank and negative values are missing."""
    assert fitted(SM, column, 1.0) == (expected, clamped)


def test_more_cores_than_any_machine_has_are_no_measurement() -> None:
    """5,000 cores: left out and counted."""
    assert fitted(CPU, [1.0, 5000.0], 4096) == ([1.0, None], 1)


def test_answers_are_read_to_the_last_bit() -> None:
    """Text in JSON becomes the nearest float, infinity too; times keep their milliseconds."""
    body = (
        b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},'
        b'"values":[[1700000000.123,"0.30000000000000004"],[1700000060,"+Inf"]]}]}}'
    )
    (series,) = decoded(body)["data"]["result"]
    assert series.labels() == {"a": "b"}
    assert series.points() == ((1700000000.123, 1700000060.0), (0.30000000000000004, math.inf))
    assert decoded(b'{"status":"success","data":["a","b"]}') == {"data": ["a", "b"]}
