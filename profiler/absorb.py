"""One batch of rows into the profiles of a partition.

Whatever depends on the state (a new hour, day or window) happens between epochs: epoch e of a batch holds, of every
workload, the pieces from its e-th new hour on. Mostly there is one epoch; at the full hour there are two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.histogram import HALF_LIFE_MS
from models.profile import CPU, CPU_FIELDS, MEMORY, RESOURCE_SIGNALS
from models.signals import CPU_SIGNALS
from profiler import histogram, oom, peaks, runs, shape, signals, starts, trend
from profiler.decay import DAY_MS, HOUR_MS, gain_within_day
from profiler.histogram import Floats
from profiler.pieces import Pieces, cut, epochs, late, newest_before
from profiler.profiles import Indices, Profiles
from profiler.rows import Integers, Rows
from profiler.signals import Summary

_RESOURCE_OF = {
    next(i for i, signal in enumerate(CPU_SIGNALS) if signal.name == name): resource
    for resource, name in enumerate(RESOURCE_SIGNALS)
}
_MEMORY_SIGNAL = next(signal for signal, resource in _RESOURCE_OF.items() if resource == MEMORY)
_OOM_SIGNAL = next(i for i, signal in enumerate(CPU_SIGNALS) if signal.name == "oom_kills")


def absorb(profiles: Profiles, rows: Rows, forget_after_days: int) -> NDArray[np.bool_]:
    """Add sorted rows (`profiler.gather`) to the state. Returns which of them, [n], came too late and were not."""
    late_rows = late(rows.message, rows.slot, rows.time_ms, profiles["last_seen_ms"])
    if late_rows.any():
        rows = rows.take(~late_rows)
    if len(rows):
        pieces, told = cut(rows), signals.told(rows)
        known = profiles["newest_hour"][pieces.slot].astype(np.int64)
        advances = pieces.hour > newest_before(pieces.slot, pieces.hour, known)
        epoch = epochs(pieces.slot, advances)
        for e in np.unique(epoch).tolist():
            now = epoch == e
            _begin_hours(profiles, pieces, now & advances, forget_after_days)
            _add(profiles, pieces if now.all() else pieces.take(now), told)
        profiles.touch(pieces.slot)
    return late_rows


def _begin_hours(profiles: Profiles, pieces: Pieces, chosen: NDArray[np.bool_], forget_after_days: int) -> None:
    """End the hour, and what ends with it, of the workloads of the chosen pieces; begin the hour of the pieces."""
    slots, hour = pieces.slot[chosen], pieces.hour[chosen]
    if not len(slots):
        return
    known = profiles["newest_hour"][slots].astype(np.int64)
    forgotten = (known >= 0) & (hour - known > 24 * forget_after_days)
    profiles.clear(slots[forgotten], CPU_FIELDS)
    running = (known >= 0) & ~forgotten
    again = running & (hour - known >= runs.SILENT_HOURS)
    _end_hours(profiles, slots[running], known[running], hour[running])
    _go_on(profiles, slots[running & ~again], known[running & ~again] // 24, hour[running & ~again] // 24)
    _begin(profiles, slots[~running], hour[~running], _first_ms(pieces, np.flatnonzero(chosen)[~running]))
    begun = again | ~running
    runs.begin(profiles, slots[begun], _first_ms(pieces, np.flatnonzero(chosen)[begun]), again[begun])
    profiles["newest_hour"][slots] = hour
    profiles["newest_day"][slots] = hour // 24


def _first_ms(pieces: Pieces, chosen: Indices) -> Integers:
    """Start of the span of the first row of these pieces."""
    first: Integers = pieces.rows.time_ms[pieces.start[chosen]] - pieces.rows.interval_ms[pieces.start[chosen]]
    return first


def _begin(profiles: Profiles, slots: Indices, hour: Integers, first_seen_ms: Integers) -> None:
    """The first hour of a workload: windows begin with it, CPU weights refer to its midnight."""
    profiles["first_seen_ms"][slots] = first_seen_ms
    profiles["window_end_ms"][slots] = hour * HOUR_MS + DAY_MS
    profiles["histogram_reference_ms"][slots, MEMORY] = hour * HOUR_MS + DAY_MS
    profiles["histogram_reference_ms"][slots, CPU] = hour // 24 * DAY_MS


def _go_on(profiles: Profiles, slots: Indices, ended: Integers, begun: Integers) -> None:
    """What a new day changes in a run that goes on."""
    new_day = begun > ended
    if new_day.any():
        runs.end_days(profiles, slots[new_day], ended[new_day], begun[new_day])
        starts.end_days(profiles, slots[new_day])


def _end_hours(profiles: Profiles, slots: Indices, ended: Integers, begun: Integers) -> None:
    if not len(slots):
        return
    trend.end_hours(profiles, slots, ended, begun, shape.hour_means(profiles, slots))
    shape.end_hours(profiles, slots, ended)
    signals.end_hours(profiles, slots)
    peaks.end_windows(profiles, slots, begun)
    full = histogram.full(profiles, slots)
    _shift_cpu(profiles, full, np.ones(len(full), dtype=np.int64))
    new_day = begun // 24 > ended // 24
    if new_day.any():
        slots, day = slots[new_day], begun[new_day] // 24
        peaks.end_days(profiles, slots, day)
        behind = (day * DAY_MS - profiles["histogram_reference_ms"][slots, CPU]) // HALF_LIFE_MS
        _shift_cpu(profiles, slots[behind > 0], behind[behind > 0])


def _shift_cpu(profiles: Profiles, slots: Indices, half_lives: Integers) -> None:
    """CPU weights and signal sums have one reference."""
    if len(slots):
        histogram.shift(profiles, slots, CPU, half_lives)
        signals.shift(profiles, slots, half_lives)


def _add(profiles: Profiles, pieces: Pieces, told: Sequence[int]) -> None:
    """Pieces that need no new hour. told: the signals that any row of the batch has."""
    rows, slot = pieces.rows, pieces.slot
    np.add.at(profiles["rows"], slot, pieces.length)
    np.add.at(profiles["covered_ms"], slot, np.add.reduceat(rows.interval_ms, pieces.start))
    starting = starts.mark(profiles, pieces)
    np.maximum.at(profiles["last_seen_ms"], slot, pieces.newest_ms)
    found = {signal: signals.summarise(pieces, signal) for signal in told}
    summaries = {signal: summary for signal, summary in found.items() if summary is not None}
    if _OOM_SIGNAL in summaries:
        memory = summaries.get(_MEMORY_SIGNAL)
        oom.add(profiles, pieces, _OOM_SIGNAL, None if memory is None else memory.peak)
    weights = Weights.of(profiles, pieces)
    for signal, summary in summaries.items():
        total, weight = signals.sums(pieces, signal, weights.decayed, summary.present)
        signals.add(profiles, slot, signal, summary, total * weights.lift, weight * weights.lift)
        if signal in _RESOURCE_OF:
            _add_resource(profiles, pieces, signal, summary, weights)
            runs.add(profiles, pieces, signal, _RESOURCE_OF[signal], summary.peak, starting)


@dataclass(frozen=True, slots=True)
class Weights:
    """seconds [n]: what a row describes; decayed [n]: times 2^(t/24 h) since its midnight; lift [k]: what a piece's day
    adds to that, 1 but for rows of yesterday and for full histograms."""

    seconds: Floats
    decayed: Floats
    lift: Floats

    @classmethod
    def of(cls, profiles: Profiles, pieces: Pieces) -> Weights:
        seconds = pieces.rows.interval_ms / 1000.0
        reference_day = profiles["histogram_reference_ms"][pieces.slot, CPU] // DAY_MS
        lift = np.ldexp(1.0, pieces.hour // 24 - reference_day)
        return cls(seconds, seconds * gain_within_day(pieces.rows.time_ms), lift)


def _add_resource(profiles: Profiles, pieces: Pieces, signal: int, summary: Summary, weights: Weights) -> None:
    """CPU and memory have more than a summary: week, peaks and histograms."""
    resource, rows = _RESOURCE_OF[signal], pieces.rows
    shape.add(profiles, pieces.slot, resource, *signals.sums(pieces, signal, weights.seconds, summary.present))
    peaks.add(profiles, pieces.slot, pieces.hour // 24, resource, summary.peak)
    chosen = slice(None) if summary.present is None else summary.present
    slot, values = rows.slot[chosen], rows.values[signal][chosen]
    histogram.add_to_day(profiles, slot, resource, values, rows.interval_ms[chosen])
    if resource == CPU:
        weight = weights.decayed * np.repeat(weights.lift, pieces.length)
        histogram.add_cpu(profiles, slot, values, weight[chosen])
