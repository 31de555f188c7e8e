"""Series gathered by who they are about, and their samples as columns on one timeline."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np

from collector.names.foreign import Foreign
from collector.prometheus.answer import Series, Times, Values
from collector.prometheus.timeline import (
    Column,
    Span,
    Timeline,
    aligned,
    fitted,
    levels,
    rates,
    shares,
    timeline,
    total,
)
from models.signals import SIGNALS

T = TypeVar("T")
Samples = tuple[Times, Values]
Found = Mapping[str, Sequence[Series]]
"""Series of one entity by metric."""

_HIGH = {(kind, signal.name): signal.high for kind, signals in SIGNALS.items() for signal in signals}
_NOTHING: Samples = np.zeros(0, np.int64), np.zeros(0)


class Timelines:
    """Timelines of one span. Targets of one scrape share their times, so each is worked out once."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self._known: dict[tuple[int, int, int], list[Timeline]] = {}

    def of(self, times: Times) -> Timeline:
        alike = self._known.setdefault((len(times), int(times[0]), int(times[-1])), [])
        for line in alike:
            if np.array_equal(line.times, times):
                return line
        alike.append(timeline(times, self.span))
        return alike[-1]


class Columns:
    """The signals of one entity in one span, all on the timeline of the first metric that has samples."""

    def __init__(self, found: Found, table: Sequence[Foreign], timelines: Timelines) -> None:
        self._found, self._timelines = found, timelines
        self._line: Timeline | None = None
        self.clamped = 0
        self.signals: dict[str, Column] = {}
        for foreign in table:
            if foreign.signal not in self.signals and (column := self._column(foreign)) is not None:
                column, clamped = fitted(foreign, column, _HIGH[foreign.kind, foreign.signal])
                self.clamped += clamped
                self.signals[foreign.signal] = column

    @property
    def line(self) -> Timeline | None:
        """None: no metric has a sample."""
        return self._line

    def _column(self, foreign: Foreign) -> Column | None:
        series = next((self._found[name] for name in foreign.names if name in self._found), ())
        over = self._found.get(foreign.over, ())
        if not series or (foreign.over and not over):
            return None
        if foreign.sums:
            columns = [self._alone(foreign, (one.time_ms, one.value), _NOTHING) for one in series]
            known = [column for column in columns if column is not None]
            return total(known) if known else None
        return self._alone(foreign, merged(series), merged(over))

    def _alone(self, foreign: Foreign, samples: Samples, over: Samples) -> Column | None:
        if not len(samples[0]) or (foreign.over and not len(over[0])):
            return None
        line = self._line or self._timelines.of(samples[0])
        if not len(line):
            return None
        self._line = line
        values = on_line(samples, line, counter=foreign.use in ("rate", "periods"))
        if foreign.use == "level":
            return levels(values, line)
        if foreign.use == "rate":
            return rates(values, line)
        others = on_line(over, line, counter=foreign.use == "periods")
        if foreign.use == "periods":
            return shares(values, others, line)
        return levels(values, line) - levels(others, line)


def on_line(samples: Samples, line: Timeline, *, counter: bool) -> Values:
    times, values = samples
    return values if np.array_equal(times, line.times) else aligned(times, values, line, counter=counter)


def merged(series: Sequence[Series]) -> Samples:
    """Series of one thing that follow each other, as its scrape moved to another target, as one. Of those that
    overlap, the one with most samples is taken."""
    parts = sorted((one for one in series if len(one.time_ms)), key=lambda part: int(part.time_ms[0]))
    if not parts:
        return _NOTHING
    if len(parts) > 1 and all(before.time_ms[-1] < after.time_ms[0] for before, after in pairwise(parts)):
        return np.concatenate([part.time_ms for part in parts]), np.concatenate([part.value for part in parts])
    longest = max(parts, key=lambda part: len(part.time_ms))
    return longest.time_ms, longest.value


def told(table: Sequence[Foreign], answers: Mapping[str, Sequence[Series]]) -> list[Foreign]:
    """What of the table the answers tell of at all."""
    return [foreign for foreign in table if any(answers.get(name) for name in foreign.names)]


def of_one_job(series: Sequence[tuple[str, Series]]) -> list[Series]:
    """Of series that several scrape jobs brought, those of one: the kubelet's, else the first by name."""
    if len(series) == 1:
        return [series[0][1]]
    by_job: dict[str, list[Series]] = {}
    for job, one in series:
        by_job.setdefault(job, []).append(one)
    return by_job[min(by_job, key=lambda job: ("kubelet" not in job, job))]


class Meanings(Generic[T]):
    """What labels mean, worked out once per distinct key: it repeats in every answer."""

    def __init__(self, meaning_of: Callable[[dict[str, str]], T]) -> None:
        self._meaning_of = meaning_of
        self._known: dict[Hashable, T] = {}

    def of(self, series: Series) -> T:
        """May be called from several threads."""
        try:
            return self._known[series.key]
        except KeyError:
            meaning = self._meaning_of(series.labels())
        if len(self._known) >= MOST_MEANINGS:
            self._known.clear()
        self._known[series.key] = meaning
        return meaning


MOST_MEANINGS = 200_000
"""About 150 MB; over it, all are worked out again."""
