"""The head of each workload's newest run on a GPU: what its fingerprint is told from (models.fingerprint.head).

A run begins with the first row of a workload, or the first after ten silent minutes; its head is of the instance and GPU of
that row. A sample is the newest value that came nearest to its time: nothing is summed, so a head has the same bits however
polls group messages, and heads are kept by whoever reads telemetry, the profiler for each workload and training for each run.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.columns import Array
from models.fingerprint.head import HEAD_FIELDS, SAMPLES, memory_codes, utilization_codes
from models.signals import GPU_SIGNALS
from profiler.gpu_windows import GpuRows
from profiler.pieces import newest_before, runs
from profiler.rows import Indices, Integers

SILENT_MS = 600_000
"""Between two runs. Restarts of a crashed container and a log that was away for some minutes go on with the run."""
STEP_MS = 2000
"""From sample to sample, where rows do not come more rarely: the cadence of the runs that features were chosen on."""

_PLACE = {signal.name: k for k, signal in enumerate(GPU_SIGNALS)}
_UTILIZATION, _MEMORY = _PLACE["gpu_utilization_ratio"], _PLACE["framebuffer_used_bytes"]


class Heads(Protocol):
    """Arrays of HEAD_FIELDS by slot, [capacity, ...], which are written in place."""

    def __getitem__(self, field: str) -> Array: ...


def absorb(heads: Heads, rows: GpuRows, last_seen_ms: Integers) -> None:
    """Sorted rows (at least one) into heads. last_seen_ms, by slot: of the newest row before these; 0: none."""
    start, length = runs(rows.message, rows.slot)
    slot, newest = rows.slot[start], rows.time_ms[start + length - 1]
    before = newest_before(slot, newest, last_seen_ms[slot])
    begins = (before == 0) | (rows.time_ms[start] - before > SILENT_MS)
    _begin(heads, rows, slot, start, begins)
    counts = np.repeat(_since_last(slot, begins), length)
    own = counts & (rows.owner == heads["gpu_head_owner"][rows.slot])
    step = heads["gpu_head_step_ms"][rows.slot].astype(np.int64)
    place = (rows.time_ms - heads["gpu_head_start_ms"][rows.slot] + step // 2) // np.maximum(step, 1)
    chosen = np.flatnonzero(own & (place >= 0) & (place < SAMPLES))
    if len(chosen):
        where = rows.slot[chosen] * SAMPLES + place[chosen]
        _write(heads["gpu_head_utilization"], where, utilization_codes(rows.values[_UTILIZATION][chosen]))
        _write(heads["gpu_head_memory"], where, memory_codes(rows.values[_MEMORY][chosen]))


def _begin(heads: Heads, rows: GpuRows, slot: Indices, start: Indices, begins: NDArray[np.bool_]) -> None:
    """Empty heads for the runs that begin; of two of one workload in this batch the later one stays."""
    newest = {int(s): int(first) for s, first in zip(slot[begins], start[begins], strict=True)}
    if not newest:
        return
    slots, first = np.array(list(newest), dtype=np.intp), np.array(list(newest.values()), dtype=np.intp)
    for field in HEAD_FIELDS:
        heads[field.name][slots] = 0
    heads["gpu_head_start_ms"][slots] = rows.time_ms[first]
    heads["gpu_head_step_ms"][slots] = np.maximum(rows.interval_ms[first], STEP_MS)
    heads["gpu_head_owner"][slots] = rows.owner[first]


def _since_last(slot: Indices, begins: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pieces come with or after the last beginning of their slot."""
    last = np.full(int(slot.max()) + 1, -1)
    np.maximum.at(last, slot[begins], np.flatnonzero(begins))
    return np.asarray(np.arange(len(slot)) >= last[slot])


def _write(codes: Array, where: Indices, values: Array) -> None:
    """The last value that is there wins; a sample without one changes nothing."""
    there = np.flatnonzero(values)[::-1]
    _, newest = np.unique(where[there], return_index=True)
    chosen = there[newest]
    codes.reshape(-1)[where[chosen]] = values[chosen]
