"""The samples of series into columns of rows: whole columns at a time, NaN where a row has no value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.names.foreign import Foreign
from collector.names.values import FP64_BLANK, INT32_BLANKS, RATIOS
from collector.prometheus.answer import Times, Values

Column = Values

USUAL_S = 60.0
"""The distance of scrapes that is taken for granted where nothing tells it."""
_BLANKS = np.array(sorted(INT32_BLANKS))


@dataclass(frozen=True, slots=True)
class Span:
    """What rows are wanted: of samples in (after_ms, until_ms]. Samples before are baselines of counters.

    max_gap_ms: a longer silence breaks a series
    usual_ms:   what a sample describes when nothing before it says how far apart they are
    """

    after_ms: int
    until_ms: int
    max_gap_ms: int
    usual_ms: int = round(USUAL_S * 1000)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Times of samples, and the rows that they make: row i is sample `first + i`.

    interval_ms: what each row describes; for a row in `broken`, whose sample has none before it, the usual distance
    """

    times: Times
    first: int
    broken: NDArray[np.intp]
    interval_ms: Times

    def __len__(self) -> int:
        return len(self.interval_ms)

    @property
    def time_ms(self) -> Times:
        return self.times[self.first :]


def timeline(times: Times, span: Span) -> Timeline:
    first = int(np.searchsorted(times, span.after_ms, side="right"))
    distances = np.diff(times)
    usual = min(int(distances.min()) if len(distances) else span.usual_ms, span.max_gap_ms)
    interval = distances[first - 1 :].copy() if first else np.concatenate(([usual], distances))[: len(times)]
    broken = interval > span.max_gap_ms
    if not first:
        broken[:1] = True
    interval[broken] = usual
    return Timeline(times, first, np.flatnonzero(broken), interval)


def grown(values: Values, line: Timeline) -> Values:
    """How much a counter grew in each row; what it has come to since zero where it went down, as it was reset.
    Rows in `line.broken` hold a number without meaning."""
    growth = np.diff(values)
    reset = growth < 0
    if reset.any():
        growth[reset] = values[1:][reset]
    return growth[line.first - 1 :] if line.first else np.concatenate(([0.0], growth))


def rates(values: Values, line: Timeline) -> Column:
    """Growth per second in each row; NaN where nothing is known of before."""
    column = grown(values, line) / (line.interval_ms / 1000)
    column[line.broken] = np.nan
    return column


def shares(values: Values, of: Values, line: Timeline) -> Column:
    """Growth of one counter over growth of another; 0 where the other stood still: no period passed."""
    part, whole = grown(values, line), grown(of, line)
    column = np.divide(part, whole, out=np.where(np.isnan(whole), np.nan, 0.0), where=whole != 0)
    column[line.broken] = np.nan
    return column


def levels(values: Values, line: Timeline) -> Column:
    return values[line.first :]


def total(columns: Sequence[Column]) -> Column:
    """Columns added up; a row without a value in all of them has none."""
    if len(columns) == 1:
        return columns[0]
    all_of_them = np.stack(columns)
    return np.where(np.isnan(all_of_them).all(axis=0), np.nan, np.nansum(all_of_them, axis=0))


def fitted(foreign: Foreign, column: Column, high: float) -> tuple[Column, int]:
    """The column in the signal's unit and range; how many values had to be clamped or left out as too high.
    `collector.names.values` says the same of one value."""
    blank = ~np.isfinite(column) | (column < 0)
    if foreign.system == "dcgm":
        blank |= (column >= FP64_BLANK) | np.isin(column, _BLANKS)
    if blank.any():
        column = np.where(blank, np.nan, column)
    if foreign.scale != 1.0:
        column = column * foreign.scale
    over = column > high
    clamped = int(np.count_nonzero(over))
    if clamped:
        column = np.where(over, high if foreign.signal in RATIOS else np.nan, column)
    return column, clamped


def aligned(times: Times, values: Values, line: Timeline, *, counter: bool) -> Values:
    """Samples of other times as if taken at those of the line. A counter is read between its samples, so that its
    growth stays whole; of a level the highest since the sample before counts. NaN where nothing is near."""
    return _between(times, values, line.times) if counter else _highest(times, values, line)


def _between(times: Times, values: Values, at: Times) -> Values:
    """On the straight line between two samples; the one before where there is no line: at the end, at a reset."""
    right = np.searchsorted(times, at, side="right")
    before, after = np.maximum(right - 1, 0), np.minimum(right, len(times) - 1)
    alone = (right == len(times)) | (times[before] == at) | (values[after] < values[before])
    share = (at - times[before]) / np.maximum(times[after] - times[before], 1)
    line = values[before] + share * (values[after] - values[before])
    held = np.where(at - times[before] < _near_ms(times), values[before], np.nan)
    return np.where(right == 0, np.nan, np.where(alone, held, line))


def _highest(times: Times, values: Values, line: Timeline) -> Values:
    begin = np.searchsorted(times, line.time_ms - line.interval_ms, side="right")
    end = np.searchsorted(times, line.time_ms, side="right")
    bounds = np.stack((begin, end), axis=1).reshape(-1)
    highest = np.fmax.reduceat(np.append(values, np.nan), bounds)[::2]
    return np.concatenate((np.full(line.first, np.nan), np.where(end > begin, highest, np.nan)))


def _near_ms(times: Times) -> float:
    """Two and a half usual distances: one missed scrape is forgiven."""
    return 2.5 * (int(np.diff(times).min()) if len(times) > 1 else USUAL_S * 1000)
