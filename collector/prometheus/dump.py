"""A dump that answers as a server does: OpenMetrics text, as `promtool tsdb dump-openmetrics` writes it, or what `promtool tsdb
dump` writes, which has the metric's name among the labels and times in milliseconds.

Of the samples those of metrics that an import reads are kept, in 16 bytes each.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from collector.names.table import CADVISOR
from collector.prometheus.answer import Labels, Series, Times, Values
from collector.prometheus.queries import AUTOSCALERS, OLD_SIZES, OOM_REASON, OWNERS, RESTARTS, SIZES, Newest
from collector.prometheus.sample_table import Keep, between, thinned
from collector.prometheus.selector import Matcher, matchers_of
from collector.source import SourceError

Tick = Callable[[float], None]
"""Told how much of the file was read, 0 to 1."""

_SERIES = re.compile(rb'(?=[a-zA-Z_:{])[a-zA-Z0-9_:]*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?(?= )')
_LABEL = re.compile(rb'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(rb"\\(.)")
_REGEX = 2
"""`Matcher.type` from which on a value is a regular expression."""
_TICK_LINES = 100_000
_MADE_BY = "`promtool tsdb dump-openmetrics` writes it"
_NAME = b"__name__"
_FACTS = (*OWNERS, *SIZES, *OLD_SIZES, *AUTOSCALERS, OOM_REASON, RESTARTS)
_WANTED = frozenset(
    name.encode() for name in (*_FACTS, *(name for foreign in CADVISOR for name in (*foreign.names, foreign.over)))
)


@dataclass(slots=True)
class _Samples:
    time_ms: array[int] = field(default_factory=lambda: array("q"))
    value: array[float] = field(default_factory=lambda: array("d"))

    def add(self, text: bytes, unit_ms: float, file: Path, number: int) -> None:
        """Value and time, and perhaps an exemplar, as they stand behind the labels. unit_ms: of the time."""
        try:
            value, time = text.split(None, 2)[:2]
            self.value.append(float(value))
            self.time_ms.append(round(float(time) * unit_ms))
        except ValueError as error:
            raise SourceError(
                f"{file} line {number} has no value and time but {text[:40]!r}; {_MADE_BY} with times"
            ) from error

    def columns(self) -> tuple[Times, Values]:
        """Ascending and each time once: dumps of several blocks overlap."""
        time_ms, first = np.unique(np.frombuffer(self.time_ms, np.int64), return_index=True)
        value = np.frombuffer(self.value, np.float64)[first]
        kept = ~np.isnan(value)  # a NaN marks the end of a series
        return time_ms[kept], value[kept]


class Dump:
    """The series of one file, by metric. Answers what `collector.prometheus.history` asks of a server."""

    chunked = True
    """Whole series are at hand, as in chunks."""

    def __init__(self, series: dict[str, list[Series]]) -> None:
        self._series = series

    @property
    def span_ms(self) -> tuple[int, int]:
        """Oldest and newest sample; both 0 without one."""
        ends = [one.time_ms[[0, -1]] for all_series in self._series.values() for one in all_series if len(one.time_ms)]
        return (int(min(e[0] for e in ends)), int(max(e[1] for e in ends))) if ends else (0, 0)

    @property
    def usual_step_s(self) -> float:
        """Distance of the samples of its longest series; 0 without two."""
        longest = max((one.time_ms for all_series in self._series.values() for one in all_series), key=len, default=())
        return float(np.median(np.diff(longest))) / 1000 if len(longest) > 1 else 0.0

    def names(self, start_s: float, end_s: float) -> Sequence[str]:
        return list(self._series)

    def range(
        self, selector: str, start_s: float, end_s: float, step_s: float = 0.0, keep: Keep = "newest"
    ) -> Sequence[Series]:
        """The samples of each series in [start_s, end_s]; with `step_s` one for each step, as a server would thin them."""
        start_ms, end_ms, step_ms = round(start_s * 1000), round(end_s * 1000), round(step_s * 1000)
        found = (thinned(one, step_ms, keep) if step_ms else one for one in self._chosen(selector))
        return [one for one in (between(one, start_ms, end_ms) for one in found) if len(one.time_ms)]

    def newest(self, wanted: Newest, start_s: float, end_s: float) -> Sequence[Series]:
        return self.range(wanted.selector, start_s, end_s)

    def labels(self, wanted: Newest, start_s: float, end_s: float) -> Sequence[Series]:
        return self.newest(wanted, start_s, end_s)

    def instant(self, query: str, time_s: float) -> Sequence[Series]:
        """Nothing: what is asked this way, machines and counts of series, is for a server."""
        return []

    def _chosen(self, selector: str) -> Iterator[Series]:
        """Raises SourceError for more than a plain selector."""
        matchers = matchers_of(selector)
        if matchers is None:
            raise SourceError(f"a dump answers plain selectors, not {selector!r}")
        name = next((one.value for one in matchers if one.name == "__name__" and one.type == 0), "")
        tests = [_test(one) for one in matchers if one.name != "__name__"]
        for series in self._series.get(name, ()):
            labels = series.labels()
            if all(test(labels) for test in tests):
                yield series


def read_dump(file: Path, tick: Tick = lambda part: None) -> Dump:
    """Raises SourceError, with the line, for what is no OpenMetrics text with times."""
    try:
        with file.open("rb") as lines:
            found = _read(lines, file, tick)
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from error
    series: dict[str, list[Series]] = {}
    for key, samples in found.items():
        series.setdefault(_name(key).decode(), []).append(Series(key, _labels, *samples.columns()))
    return Dump(series)


def _read(lines: BinaryIO, file: Path, tick: Tick) -> dict[bytes, _Samples]:
    """Samples by series. Lines of one series follow each other, so most begin as the one before did."""
    found: dict[bytes, _Samples] = {}
    size, done, prefix = max(file.stat().st_size, 1), 0, b"\n"
    samples: _Samples | None = None
    for number, line in enumerate(lines, 1):
        done += len(line)
        if number % _TICK_LINES == 0:
            tick(done / size)
        if not line.startswith(prefix):
            if line.startswith(b"#"):
                continue
            key = _key(line, file, number)
            prefix = key + b" "
            samples = found.setdefault(key, _Samples()) if _name(key) in _WANTED else None
        if samples is not None:
            samples.add(line[len(prefix) :], 1.0 if prefix.startswith(b"{") else 1000.0, file, number)
    return found


def _key(line: bytes, file: Path, number: int) -> bytes:
    """Name and labels as they are written."""
    series = _SERIES.match(line)
    if series is None:
        raise SourceError(f"{file} line {number} is no sample of OpenMetrics text: {line[:80]!r}; {_MADE_BY}")
    return series[0]


def _name(key: bytes) -> bytes:
    return key.partition(b"{")[0] or dict(_LABEL.findall(key)).get(_NAME, b"")


def _labels(key: bytes) -> Labels:
    """Labels of a key, the name among them, as a server gives them."""
    found = {label.decode(): _ESCAPED.sub(_unescaped, value).decode() for label, value in _LABEL.findall(key)}
    return {_NAME.decode(): _name(key).decode(), **found}


def _unescaped(escaped: re.Match[bytes]) -> bytes:
    return b"\n" if escaped[1] == b"n" else escaped[1]


def _test(matcher: Matcher) -> Callable[[Labels], bool]:
    """A label that is not there counts as empty; regular expressions match whole values, as in PromQL."""
    name, kind = matcher.name, matcher.type
    if kind < _REGEX:
        return lambda labels: (labels.get(name, "") == matcher.value) is (kind == 0)
    pattern = re.compile(f"(?:{matcher.value})")
    return lambda labels: bool(pattern.fullmatch(labels.get(name, ""))) is (kind == _REGEX)
