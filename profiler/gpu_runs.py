"""Runs in the log's telemetry: one workload instance on one GPU, from where it was first seen, as evenly spaced windows.

What fingerprints are learned from. Memory is bounded: the first hour of a run, and a few runs of each workload.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.fingerprint.window import Window
from models.signals import GPU_SIGNALS
from stream import schemas
from stream.contract import EventLog, Record
from stream.dead_letters import BadMessageError
from stream.read_all import read_all
from stream.streams import TELEMETRY
from stream.telemetry_decoder import TelemetryFrame, decode_telemetry

Key = tuple[str, str, str, str]
"""Workload, instance, GPU, model of the GPU."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    step_ms: int = 2000
    """Of a window. Rows that come oftener are averaged; where they come more rarely, a step may be without a value."""
    max_steps: int = 1800
    """An hour at 2 s: what tells workloads apart is seen by then. 350 KB a run."""
    max_runs: int = 20
    """Of a workload, the first ones. More teach little, and one busy workload must not push out the others."""


@dataclass(frozen=True, slots=True)
class GpuRun:
    """started_ms: of its first row that the log still had."""

    workload: str
    gpu_uuid: str
    gpu_model: str
    started_ms: int
    window: Window


@dataclass(slots=True)
class _Sums:
    """Of the rows in each step: sums and counts [steps, signals]."""

    start_ms: int
    sums: NDArray[np.float64]
    counts: NDArray[np.int32]
    steps: int = 0
    interval_ms: int = 0

    @classmethod
    def starting(cls, start_ms: int, chosen: RunSettings) -> _Sums:
        shape = (chosen.max_steps, len(GPU_SIGNALS))
        return cls(start_ms, np.zeros(shape), np.zeros(shape, np.int32))


@dataclass(slots=True)
class GpuRuns:
    """Gathers message after message; `runs` reads out."""

    chosen: RunSettings = field(default_factory=RunSettings)
    _found: dict[Key, _Sums] = field(default_factory=dict)
    _of_workload: Counter[str] = field(default_factory=Counter)

    def add(self, frame: TelemetryFrame) -> None:
        """GPU rows. Rows from before the first one seen of a run, and from after its hour, are left out."""
        names = ("workload", "instance", "gpu_uuid", "gpu_model")
        codes = np.stack([frame.keys[name].codes for name in names], axis=1)
        distinct, of_row = np.unique(codes, axis=0, return_inverse=True)
        for k, code in enumerate(distinct.tolist()):
            workload, instance, uuid, model = (frame.keys[n].names[c] for n, c in zip(names, code, strict=True))
            rows = np.flatnonzero(of_row.reshape(-1) == k)
            if run := self._run((workload, instance, uuid, model), int(frame.time_ms[rows].min())):
                _absorb(run, frame, rows, self.chosen)

    def _run(self, key: Key, start_ms: int) -> _Sums | None:
        if key not in self._found:
            if self._of_workload[key[0]] >= self.chosen.max_runs:
                return None
            self._of_workload[key[0]] += 1
            self._found[key] = _Sums.starting(start_ms, self.chosen)
        return self._found[key]

    def runs(self) -> list[GpuRun]:
        """In the order in which they were first seen."""
        return [
            GpuRun(workload, uuid, model, run.start_ms, _window(run, self.chosen))
            for (workload, _, uuid, model), run in self._found.items()
        ]


def _absorb(run: _Sums, frame: TelemetryFrame, rows: NDArray[np.intp], chosen: RunSettings) -> None:
    step = (frame.time_ms[rows] - run.start_ms) // chosen.step_ms
    inside = (step >= 0) & (step < chosen.max_steps)
    step, values = step[inside], frame.values[rows[inside]]
    if not len(step):
        return
    seen = ~np.isnan(values)
    np.add.at(run.sums, step, np.where(seen, values, 0))
    np.add.at(run.counts, step, seen)
    run.steps = max(run.steps, int(step.max()) + 1)
    run.interval_ms = max(run.interval_ms, int(np.median(frame.interval_ms[rows[inside]])))


def _window(run: _Sums, chosen: RunSettings) -> Window:
    """Signals that have a value somewhere; steps are joined until each is as long as the rows' own span."""
    joined = max(1, round(run.interval_ms / chosen.step_ms))
    blocks = -(-run.steps // joined)
    padded = slice(0, blocks * joined)
    shape = (blocks, joined, len(GPU_SIGNALS))
    sums = _padded(run.sums[padded], blocks * joined).reshape(shape).sum(axis=1)
    counts = _padded(run.counts[padded], blocks * joined).reshape(shape).sum(axis=1)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    kept = np.flatnonzero(counts.any(axis=0)).tolist()
    return Window({GPU_SIGNALS[k].name: means[:, k] for k in kept}, joined * chosen.step_ms / 1000)


def _padded(values: NDArray[np.float64] | NDArray[np.int32], steps: int) -> NDArray[np.float64]:
    return np.pad(values, ((0, steps - len(values)), (0, 0))).astype(np.float64)


def gpu_runs(log: EventLog, now_ms: int, chosen: RunSettings | None = None) -> list[GpuRun]:
    """Of all telemetry that the log still holds. What cannot be read is left out: the profiler has reported it."""
    gathered = GpuRuns(chosen or RunSettings())
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
