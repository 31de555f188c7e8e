"""The samples of series into columns of rows.

Whole columns at a time, with what the standard library does in C: map, zip, min, max, sum. 40 million samples (1,000
workloads, two weeks, two signals) pass here, and a Python statement per sample would cost 10 s each.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import add, sub, truediv

from collector.names.foreign import Foreign
from collector.names.values import bounded, in_our_unit

Times = tuple[float, ...]
Values = Sequence[float]
Column = list[float | None]

USUAL_S = 60.0
"""The distance of scrapes that is taken for granted where nothing tells it."""


@dataclass(frozen=True, slots=True)
class Span:
    """What rows are wanted: of samples in (after_s, until_s]. Samples before are baselines of counters.

    max_gap_s: a longer silence breaks a series
    usual_s:   what a sample describes when nothing before it says how far apart they are
    """

    after_s: float
    until_s: float
    max_gap_s: float
    usual_s: float = USUAL_S


@dataclass(frozen=True, slots=True)
class Timeline:
    """Times of samples, and the rows that they make: row i is sample `first + i`.

    seconds: what each row describes; for a row in `broken`, whose sample has none before it, the usual distance
    """

    times: Times
    first: int
    seconds: list[float]
    broken: list[int]
    time_ms: list[int]
    interval_ms: list[int]

    def __len__(self) -> int:
        return len(self.time_ms)


def timeline(times: Times, span: Span) -> Timeline:
    first = bisect_right(times, span.after_s)
    distances = list(map(sub, times[1:], times))
    usual = min(distances, default=span.usual_s)
    seconds = distances[first - 1 :] if first else [usual, *distances]
    broken = [] if first else [0]
    if seconds and max(seconds) > span.max_gap_s:
        broken += [i for i, distance in enumerate(seconds) if distance > span.max_gap_s]
        for i in broken:
            seconds[i] = min(usual, span.max_gap_s)
    time_ms = [round(time * 1000) for time in times[first:]]
    interval_ms = [round(distance * 1000) for distance in seconds]
    return Timeline(times, first, seconds, broken, time_ms, interval_ms)


def grown(values: Values, line: Timeline) -> list[float]:
    """How much a counter grew in each row; what it has come to since zero where it went down, as it was reset.
    Rows in `line.broken` hold a number without meaning."""
    growth = list(map(sub, values[1:], values))
    if min(growth, default=0.0) < 0:
        growth = [now - before if now >= before else now for before, now in pairwise(values)]
    return growth[line.first - 1 :] if line.first else [0.0, *growth]


def rates(values: Values, line: Timeline) -> Column:
    """Growth per second in each row; None where nothing is known of before."""
    return _without(line.broken, list(map(truediv, grown(values, line), line.seconds)))


def shares(values: Values, of: Values, line: Timeline) -> Column:
    """Growth of one counter over growth of another; 0 where the other stood still: no period passed."""
    pairs = zip(grown(values, line), grown(of, line), strict=True)
    return _without(line.broken, [part / whole if whole else 0.0 for part, whole in pairs])


def levels(values: Values, line: Timeline) -> Column:
    return list(values[line.first :])


def total(columns: Sequence[Column]) -> Column:
    """Columns added up; a row without a value in all of them has none."""
    out = columns[0]
    for column in columns[1:]:
        try:
            out = list(map(add, out, column))
        except TypeError:
            out = [b if a is None else a if b is None else a + b for a, b in zip(out, column, strict=True)]
    return out


def fitted(foreign: Foreign, column: Column, high: float) -> tuple[Column, int]:
    """The column in the signal's unit and range; how many values had to be clamped or left out as too high."""
    try:
        if math.isfinite(sum(column)) and min(column) >= 0 and max(column) * foreign.scale <= high:  # type: ignore[arg-type,type-var,operator]  # a None is caught below
            return (column if foreign.scale == 1.0 else [value * foreign.scale for value in column]), 0  # type: ignore[operator]  # no None here
    except TypeError:  # some rows have no value
        pass
    return _fitted_one_by_one(foreign, column)


def _fitted_one_by_one(foreign: Foreign, column: Column) -> tuple[Column, int]:
    out: Column = []
    clamped = 0
    for value in column:
        ours = None if value is None else in_our_unit(foreign, value)
        if ours is not None:
            ours, over = bounded(foreign, ours)
            clamped += over
        out.append(ours)
    return out, clamped


def aligned(times: Times, values: Values, line: Timeline, *, counter: bool) -> Values:
    """Samples of other times as if taken at those of the line. A counter is read between its samples, so that its
    growth stays whole; of a level the highest since the sample before counts. NaN where nothing is near."""
    return _between(times, values, line.times) if counter else _highest(times, values, line)


def _between(times: Times, values: Values, at: Times) -> list[float]:
    out = []
    for time in at:
        right = bisect_right(times, time)
        if not right:
            out.append(math.nan)
        elif right == len(times) or times[right - 1] == time or values[right] < values[right - 1]:
            out.append(values[right - 1] if time - times[right - 1] < _near_s(times) else math.nan)
        else:
            share = (time - times[right - 1]) / (times[right] - times[right - 1])
            out.append(values[right - 1] + share * (values[right] - values[right - 1]))
    return out


def _highest(times: Times, values: Values, line: Timeline) -> list[float]:
    out = [math.nan] * line.first
    for time, seconds in zip(line.times[line.first :], line.seconds, strict=True):
        inside = values[bisect_right(times, time - seconds) : bisect_right(times, time)]
        out.append(max(inside, default=math.nan))
    return out


def _near_s(times: Times) -> float:
    """Two and a half usual distances: one missed scrape is forgiven."""
    return 2.5 * min(map(sub, times[1:], times), default=USUAL_S)


def _without(rows: Sequence[int], column: list[float]) -> Column:
    out: Column = [*column]
    for row in rows:
        out[row] = None
    return out
