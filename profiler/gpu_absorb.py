"""GPU rows into the profiles of a partition: time in each class, decayed means, framebuffer peaks, heads of runs.

It has its own clock in a profile (gpu_last_seen_ms, gpu_newest_day): what GPU rows do to it does not depend on CPU
rows, nor the other way round, so the two need no common order.

Weights double per day and refer to the midnight of the newest day. Moving the reference scales by powers of two, which
is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bottleneck import Bottleneck, Method
from models.hardware.discovery import code_of
from models.peak16 import to_peak16
from models.profile import GPU_FIELDS, GPU_SIGNALS_KEPT, PEAK_DAYS
from profiler import heads
from profiler.bottleneck.evidence import SIGNAL
from profiler.bottleneck.gpu import Verdicts
from profiler.bottleneck.shares import by_class
from profiler.decay import gain_within_day
from profiler.gpu_windows import GpuRows, GpuWindows, windows
from profiler.judge import Infer, judge
from profiler.pieces import epochs, late, newest_before, runs
from profiler.profiles import Indices, Profiles
from profiler.rows import Integers

Floats = NDArray[np.float64]
_KEPT = [SIGNAL[name] for name in GPU_SIGNALS_KEPT]
_DECAYED = (
    "gpu_class_seconds",
    "gpu_counter_seconds",
    "gpu_learned_seconds",
    "gpu_confidence_seconds",
    "gpu_signal_sum",
    "gpu_signal_weight",
)


def absorb(profiles: Profiles, rows: GpuRows, forget_after_days: int, infer: Infer | None = None) -> NDArray[np.bool_]:
    """Add sorted rows to the state. Returns which of them, [n], came too late and were not."""
    profiles.hold(GPU_FIELDS)
    late_rows = late(rows.message, rows.slot, rows.time_ms, profiles["gpu_last_seen_ms"])
    if late_rows.any():
        rows = rows.take(~late_rows)
    if len(rows):
        pieces, before = _cut(rows, infer), profiles["gpu_last_seen_ms"].copy()
        known = _known_day(profiles, pieces.slot)
        advances = pieces.day > newest_before(pieces.slot, pieces.day, known)
        epoch = epochs(pieces.slot, advances)
        for e in np.unique(epoch).tolist():
            now = epoch == e
            _begin_days(profiles, pieces, np.flatnonzero(now & advances), forget_after_days)
            _add(profiles, pieces, np.flatnonzero(now))
        heads.absorb(profiles, rows, before)
        profiles.touch(pieces.slot)
    return late_rows


@dataclass(frozen=True, slots=True)
class _Pieces:
    """What one message says of one workload on one day, [k]: its windows are start[i] to start[i] + length[i].

    Sums are decayed to midnight of the piece's day; class_seconds [k, CLASSES], signal sums [k, kept]."""

    slot: Indices
    day: Integers
    newest_ms: Integers
    covered_ms: Integers
    sums: dict[str, Floats]
    framebuffer: NDArray[np.uint16]
    gpus: NDArray[np.int64]
    model: NDArray[np.uint32]
    sliced: NDArray[np.bool_]


def _cut(rows: GpuRows, infer: Infer | None) -> _Pieces:
    found = windows(rows)
    verdicts = judge(found, infer)
    start, length = runs(found.message, found.slot, found.day)
    last = start + length - 1
    codes = np.array([code_of(name) for name in rows.models], dtype=np.uint32)
    return _Pieces(
        found.slot[start],
        found.day[start],
        np.maximum.reduceat(found.time_ms, start),
        np.add.reduceat(found.interval_ms, start),
        _sums(found, verdicts, start),
        np.maximum.reduceat(to_peak16(found.framebuffer_peak), start),
        _gpus(found, start, length),
        codes[found.model[last]],
        ~found.boards.whole[last],
    )


def _sums(found: GpuWindows, verdicts: Verdicts, start: Indices) -> dict[str, Floats]:
    gain = gain_within_day(found.time_ms)
    seconds = found.interval_ms / 1000.0 * gain
    weight = found.seconds[_KEPT] * gain
    value = np.where(weight > 0, found.mean[_KEPT], 0.0) * weight
    per_window = {
        "gpu_class_seconds": by_class(verdicts.bottleneck, seconds),
        "gpu_counter_seconds": np.where(verdicts.method == Method.COUNTERS, seconds, 0.0),
        "gpu_learned_seconds": np.where(verdicts.method == Method.LEARNED, seconds, 0.0),
        "gpu_confidence_seconds": np.where(verdicts.bottleneck == Bottleneck.INSUFFICIENT, 0.0, verdicts.confidence)
        * seconds,
        "gpu_signal_sum": value.T,
        "gpu_signal_weight": weight.T,
    }
    return {name: np.add.reduceat(values, start, axis=0) for name, values in per_window.items()}


def _gpus(found: GpuWindows, start: Indices, length: Indices) -> NDArray[np.int64]:
    """The most GPUs that one instance used, per piece."""
    piece = np.repeat(np.arange(len(start)), length)
    used = np.unique(np.stack((piece, found.instance, found.gpu)), axis=1)
    owners, counts = np.unique(used[:2], axis=1, return_counts=True)
    return np.maximum.reduceat(counts, np.searchsorted(owners[0], np.arange(len(start))))


def _known_day(profiles: Profiles, slot: Indices) -> Integers:
    """The newest day of the state, before 1970 where it has none."""
    day = profiles["gpu_newest_day"][slot].astype(np.int64)
    return np.where(profiles["gpu_last_seen_ms"][slot] > 0, day, -1)


def _begin_days(profiles: Profiles, pieces: _Pieces, chosen: Indices, forget_after_days: int) -> None:
    """Move the workloads of these pieces (one each) to the pieces' day."""
    slots, day = pieces.slot[chosen], pieces.day[chosen]
    known = _known_day(profiles, slots)
    forgotten = (known >= 0) & (day - known > forget_after_days)
    profiles.clear(slots[forgotten], GPU_FIELDS)
    running = (known >= 0) & ~forgotten
    moved, passed = slots[running], (day - known)[running]
    for name in _DECAYED:
        values = profiles[name]
        values[moved] = np.ldexp(values[moved], -passed.reshape(-1, *[1] * (values.ndim - 1)))
    for ahead in range(1, min(PEAK_DAYS, int(passed.max(initial=0))) + 1):
        beyond = passed >= ahead
        profiles["gpu_framebuffer_peak"][moved[beyond], (known[running][beyond] + ahead) % PEAK_DAYS] = 0
    profiles["gpu_newest_day"][slots] = day


def _add(profiles: Profiles, pieces: _Pieces, chosen: Indices) -> None:
    slot, day = pieces.slot[chosen], pieces.day[chosen]
    lift = np.ldexp(1.0, day - profiles["gpu_newest_day"][slot])
    for name, sums in pieces.sums.items():
        part = sums[chosen]
        np.add.at(profiles[name], slot, part * lift.reshape(-1, *[1] * (part.ndim - 1)))
    np.add.at(profiles["gpu_covered_ms"], slot, pieces.covered_ms[chosen])
    np.maximum.at(profiles["gpu_last_seen_ms"], slot, pieces.newest_ms[chosen])
    np.maximum.at(profiles["gpu_framebuffer_peak"], (slot, day % PEAK_DAYS), pieces.framebuffer[chosen])
    profiles["gpu_count"][slot] = np.minimum(pieces.gpus[chosen], 0xFFFF)
    profiles["gpu_model"][slot] = pieces.model[chosen]
    profiles["gpu_sliced"][slot] = pieces.sliced[chosen]
