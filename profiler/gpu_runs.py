"""Runs in the log's telemetry: one workload instance on one GPU, each by its head, as a profile keeps it.

What fingerprints are learned from. Memory is bounded: two hundred bytes a run, and a few runs of each workload.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from models.columns import Array, Field, empty_arrays
from models.fingerprint.boards import board_of
from models.fingerprint.head import HEAD_FIELDS, window_of
from models.fingerprint.window import Window
from profiler import heads
from profiler.gpu_windows import GpuRows, gather, owners_of
from stream import schemas
from stream.contract import EventLog, Record
from stream.dead_letters import BadMessageError
from stream.read_all import read_all
from stream.streams import TELEMETRY
from stream.telemetry_decoder import TelemetryFrame, decode_telemetry

_TABLE: tuple[Field, ...] = (*HEAD_FIELDS, Field("gpu_last_seen_ms", "int64", (), "newest row of the run"))
MAX_RUNS = 20
"""Of a workload, the first ones. More teach little, and one busy workload must not push out the others."""


@dataclass(frozen=True, slots=True)
class _Key:
    workload: str
    owner: int
    gpu_model: str
    whole: bool


@dataclass(frozen=True, slots=True)
class GpuRun:
    """started_ms: of its first row that the log still had."""

    workload: str
    gpu_uuid: str
    gpu_model: str
    started_ms: int
    window: Window


@dataclass(slots=True)
class GpuRuns:
    """Gathers message after message; `runs` reads out."""

    max_runs: int = MAX_RUNS
    _places: dict[_Key, int] = field(default_factory=dict)
    _gpu: dict[int, str] = field(default_factory=dict)
    _of_workload: Counter[str] = field(default_factory=Counter)
    _table: dict[str, Array] = field(default_factory=lambda: empty_arrays(_TABLE, 64))

    def add(self, frame: TelemetryFrame) -> None:
        """GPU rows. Those of a workload that has its number of runs are left out."""
        rows = gather([(0, np.arange(len(frame.workload.names)), frame)])
        identity = np.stack([rows.slot, rows.owner.astype(np.intp), rows.model, rows.whole.astype(np.intp)], axis=1)
        names, gpus = frame.workload.names, frame.keys["gpu_uuid"]
        self._gpu.update(
            {o: gpus.names[g] for o, g in set(zip(owners_of(frame).tolist(), gpus.codes.tolist(), strict=True))}
        )
        distinct, of_row = np.unique(identity, axis=0, return_inverse=True)
        keys = [_Key(names[w], owner, rows.models[m], bool(whole)) for w, owner, m, whole in distinct.tolist()]
        place = np.array([self._place(key) for key in keys], dtype=np.intp)[of_row.reshape(-1)]
        self._absorb(replace(rows, slot=place).take(np.flatnonzero(place >= 0)))

    def _place(self, key: _Key) -> int:
        """Row of a run in the table; -1: it is one too many of its workload."""
        if key not in self._places:
            if self._of_workload[key.workload] >= self.max_runs:
                return -1
            self._of_workload[key.workload] += 1
            self._places[key] = len(self._places)
        return self._places[key]

    def _absorb(self, rows: GpuRows) -> None:
        if not len(rows):
            return
        short = len(self._places) - len(self._table["gpu_last_seen_ms"])
        if short > 0:
            more = empty_arrays(_TABLE, max(short, len(self._table["gpu_last_seen_ms"])))
            self._table = {name: np.concatenate([known, more[name]]) for name, known in self._table.items()}
        rows = rows.take(np.lexsort((rows.time_ms, rows.slot, rows.message)))
        heads.absorb(self._table, rows, self._table["gpu_last_seen_ms"])
        np.maximum.at(self._table["gpu_last_seen_ms"], rows.slot, rows.time_ms)

    def runs(self) -> list[GpuRun]:
        """In the order in which they were first seen; those without utilisation and memory are left out."""
        found = ((key, self._window(key, row), row) for key, row in self._places.items())
        return [
            GpuRun(
                key.workload, self._gpu[key.owner], key.gpu_model, int(self._table["gpu_head_start_ms"][row]), window
            )
            for key, window, row in found
            if window is not None
        ]

    def _window(self, key: _Key, row: int) -> Window | None:
        return window_of(self._table, row, board_of(key.gpu_model, sliced=not key.whole))


def gpu_runs(log: EventLog, now_ms: int) -> list[GpuRun]:
    """Of all telemetry that the log still holds. What cannot be read is left out: the profiler has reported it."""
    gathered = GpuRuns()
    for partition in range(log.partitions(TELEMETRY)):
        for record in read_all(log, TELEMETRY, partition):
            if frame := _frame(record, now_ms):
                gathered.add(frame)
    return gathered.runs()


def _frame(record: Record, now_ms: int) -> TelemetryFrame | None:
    if record.headers.get(schemas.SCHEMA) != schemas.TELEMETRY["gpu"]:
        return None
    try:
        frame = decode_telemetry(record, record.time_ms or now_ms)
    except BadMessageError:
        return None
    return frame if len(frame) else None


def groups_of(runs: Sequence[GpuRun]) -> list[str]:
    """What is held out together: a GPU model; in a fleet of one model, what ran on one GPU."""
    models = {run.gpu_model for run in runs}
    return [run.gpu_model if len(models) > 1 else run.gpu_uuid for run in runs]
