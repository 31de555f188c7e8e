"""Runs of a job: the peaks of each of the newest 16, at its start and after it.

A run ends with a whole silent hour; what runs more often is one long run, and its days say enough. For a job that comes
once a month 16 runs look back further than 32 days do. The first START_MS of a run are kept apart, because what a program
needs to start is often more than what it needs to go on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.peak16 import to_peak16
from models.profile import RESOURCES, RUNS
from profiler.pieces import Pieces
from profiler.profiles import Indices, Profiles
from profiler.rows import Integers

START_MS = 600_000
"""Ten minutes: longer than images, caches and just-in-time compilers take, shorter than most jobs."""
SILENT_HOURS = 2
"""From the hour that ended to the one that begins: at least one whole hour lies between."""
_R = len(RESOURCES)


def begin(profiles: Profiles, slots: Indices, first_ms: Integers, again: NDArray[np.bool_]) -> None:
    """A run begins with a row at `first_ms`; `again`: after another one, which is finished now. Distinct slots."""
    profiles["runs"][slots] = np.where(again, np.minimum(profiles["runs"][slots] + 1, _MOST), profiles["runs"][slots])
    profiles["run_start_ms"][slots] = first_ms
    column = profiles["runs"][slots] % RUNS
    for name in ("run_start_peak", "run_peak"):
        profiles[name][slots, :, column] = 0


def add(profiles: Profiles, pieces: Pieces, signal: int, resource: int, peak: NDArray[np.float32]) -> None:
    """Peaks [k] of pieces into the running run, those of its first minutes apart."""
    slot, rows = pieces.slot, pieces.rows
    cell = (slot * _R + resource) * RUNS + profiles["runs"][slot] % RUNS
    start_ends = profiles["run_start_ms"][slot] + START_MS
    oldest, newest = rows.time_ms[pieces.start], pieces.newest_ms
    starting, steady = newest <= start_ends, oldest > start_ends
    mixed = np.flatnonzero(~(starting | steady))
    early, late = np.where(starting, peak, np.nan), np.where(steady, peak, np.nan)
    if len(mixed):
        values = rows.values[signal]
        is_early = rows.time_ms <= np.repeat(start_ends, pieces.length)
        early[mixed] = np.fmax.reduceat(np.where(is_early, values, np.nan), pieces.start)[mixed]
        late[mixed] = np.fmax.reduceat(np.where(is_early, np.nan, values), pieces.start)[mixed]
    np.maximum.at(profiles["run_start_peak"].reshape(-1), cell, to_peak16(early.astype(np.float64)))
    np.maximum.at(profiles["run_peak"].reshape(-1), cell, to_peak16(late.astype(np.float64)))


_MOST = RUNS * (65_535 // RUNS) - 1
"""The count stays within 16 bits; a job that ran as often keeps its last column."""
