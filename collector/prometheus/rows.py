"""Rows on their way into messages: gathered by partition, then cut by hours.

A message holds whole hours of all workloads of its partition, so that no row is late beside those of other instances of
its workload, and a profiler, which works hour by hour, sees each hour once. Workloads keep the order in which they first
came, which is the order of the profiler's rows: what it need not sort costs it a third less.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.outbox import Addressed
from collector.prometheus.answer import Times
from collector.prometheus.timeline import Column, Timeline
from collector.publisher import telemetry_message
from models.signals import SIGNALS, RowKind
from models.telemetry import KEY_COLUMNS, Packed, Repeated, TelemetryBatch
from models.workload import partition_of
from stream.streams import TELEMETRY

MAX_ROWS = 16_384
"""Rows of one message: 300 kB; as many as a profiler absorbs in one pass."""
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows of one workload instance. keys: in the order of KEY_COLUMNS; number: of its workload; signals: a column, or a
    number that holds for all rows"""

    keys: tuple[str, ...]
    number: int
    line: Timeline
    signals: Mapping[str, Column | float]


class Workloads:
    """Numbers and partitions of workloads, in the order in which they came."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._known: dict[str, tuple[int, int]] = {}

    def place(self, workload: str) -> tuple[int, int]:
        """Its number and its partition."""
        known = self._known.get(workload)
        if known is None:
            known = self._known[workload] = len(self._known), partition_of(workload, self._partitions)
        return known


class RowMessages:
    """Rows of one span of time into messages."""

    def __init__(self, producer: str, workloads: Workloads) -> None:
        self._producer, self._workloads = producer, workloads
        self._runs: dict[tuple[RowKind, int], list[_Run]] = defaultdict(list)
        self.rows = 0

    def add(self, kind: RowKind, keys: tuple[str, ...], line: Timeline, signals: Mapping[str, Column | float]) -> None:
        """Rows of one workload instance. `keys` in the order of KEY_COLUMNS[kind]; a signal that is the same in all rows
        may be one number."""
        number, partition = self._workloads.place(keys[0])
        self._runs[kind, partition].append(_Run(keys, number, line, signals))
        self.rows += len(line)

    def take(self) -> Iterator[Addressed]:
        """Everything that was added, as messages."""
        for kind, partition in sorted(self._runs):
            for batch in _batches(kind, self._runs.pop((kind, partition))):
                yield Addressed(TELEMETRY, telemetry_message(batch, self._producer, partition))


def _batches(kind: RowKind, runs: Sequence[_Run]) -> Iterator[TelemetryBatch]:
    """Rows in the order of hours, each hour in the order of workloads."""
    time_ms = np.concatenate([run.line.time_ms for run in runs])
    blocks = _blocks(time_ms, np.array([len(run.line) for run in runs]), np.array([run.number for run in runs]))
    columns = _columns(kind, runs, time_ms)
    for part in _parts(blocks):
        yield _batch(kind, runs, columns, blocks.take(part))


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Rows of one run in one hour each: the run, its first row among all of them, and how many."""

    run: NDArray[np.intp]
    begin: NDArray[np.intp]
    length: NDArray[np.intp]
    hour: Times

    def take(self, chosen: slice | NDArray[np.intp]) -> _Blocks:
        return _Blocks(self.run[chosen], self.begin[chosen], self.length[chosen], self.hour[chosen])


def _blocks(time_ms: Times, lengths: NDArray[np.intp], numbers: NDArray[np.intp]) -> _Blocks:
    """In the order of hours, workloads, runs."""
    run, hour = np.repeat(np.arange(len(lengths)), lengths), time_ms // _HOUR_MS
    begin = np.flatnonzero((np.diff(run, prepend=-1) != 0) | (np.diff(hour, prepend=-1) != 0))
    length = np.diff(begin, append=len(run))
    order = np.lexsort((run[begin], numbers[run[begin]], hour[begin]))
    return _Blocks(run[begin], begin, length, hour[begin]).take(order)


def _parts(blocks: _Blocks) -> Iterator[slice]:
    """Blocks that make a message together: whole hours where they fit, else as many blocks as do."""
    ends = np.append(np.flatnonzero(np.diff(blocks.hour)) + 1, len(blocks.hour)).tolist()
    rows = np.concatenate(([0], np.cumsum(blocks.length))).tolist()
    begin = until = 0
    for end in ends:
        if rows[end] - rows[begin] > MAX_ROWS and until > begin:
            yield slice(begin, until)
            begin = until
        while rows[end] - rows[begin] > MAX_ROWS:  # one hour alone is too much
            cut = max(int(np.searchsorted(rows, rows[begin] + MAX_ROWS, side="right")) - 1, begin + 1)
            yield slice(begin, cut)
            begin = cut
        until = end
    if until > begin:
        yield slice(begin, until)


def _columns(kind: RowKind, runs: Sequence[_Run], time_ms: Times) -> dict[str, NDArray[Any]]:
    """Times, intervals and every signal of all rows, NaN in rows of a run that lacks it. A signal that never changes within
    a run has one number for each run."""
    found: dict[str, NDArray[Any]] = {
        "time_ms": time_ms,
        "interval_ms": np.concatenate([run.line.interval_ms for run in runs]),
    }
    for name in (signal.name for signal in SIGNALS[kind]):
        column = [run.signals.get(name, np.nan) for run in runs]
        if all(isinstance(part, float) for part in column):
            found[name] = np.array(column)
        else:
            parts = zip(column, runs, strict=True)
            found[name] = np.concatenate([np.broadcast_to(part, len(run.line)) for part, run in parts])
    return found


def _batch(kind: RowKind, runs: Sequence[_Run], columns: Mapping[str, NDArray[Any]], blocks: _Blocks) -> TelemetryBatch:
    """Rows of these blocks in the order of workloads, runs, time."""
    numbers = np.array([runs[run].number for run in blocks.run.tolist()])
    blocks = blocks.take(np.lexsort((blocks.hour, blocks.run, numbers)))
    before = np.cumsum(blocks.length) - blocks.length
    row = np.repeat(blocks.begin - before, blocks.length) + np.arange(int(blocks.length.sum()))
    begins = np.flatnonzero(np.diff(blocks.run, prepend=-1))
    who, lengths = (
        [runs[run].keys for run in blocks.run[begins].tolist()],
        np.add.reduceat(blocks.length, begins).tolist(),
    )
    keys = {name: Repeated([each[place] for each in who], lengths) for place, name in enumerate(KEY_COLUMNS[kind])}
    of_run = np.repeat(blocks.run, blocks.length)
    taken = {name: column[of_run if len(column) == len(runs) else row] for name, column in columns.items()}
    times, intervals = (array("q", taken.pop(name).tobytes()) for name in ("time_ms", "interval_ms"))
    signals = {name: packed for name, column in taken.items() if (packed := _packed(column)) is not None}
    return TelemetryBatch(kind, keys, times, intervals, signals)


def _packed(column: Column) -> Sequence[float | None] | None:
    """None: no row has a value."""
    values, missing = array("d", column.tobytes()), np.isnan(column)
    if not missing.any():
        return values
    return None if missing.all() else Packed(values, np.packbits(~missing, bitorder="little").tobytes())
