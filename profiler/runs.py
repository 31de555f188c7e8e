"""Peaks of starts and of what follows them, in 16 columns.

A job has a column for each of its runs. A run ends with a whole silent hour; what runs more often is one long run, and its
days say enough. For a job that comes once a month 16 runs look back further than 32 days do. What goes on and on has a
column for every two days, so that 32 days are in view. The first minutes of every instance (`profiler.starts`) are kept
apart, because what a program needs to start is often more than what it needs to go on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.peak16 import to_peak16
from models.profile import RESOURCES, RUNS
from profiler import starts
from profiler.pieces import Pieces
from profiler.profiles import Indices, Profiles
from profiler.rows import Integers

SILENT_HOURS = 2
"""From the hour that ended to the one that begins: at least one whole hour lies between."""
COLUMN_DAYS = 2
_R = len(RESOURCES)
_MOST = 65_535
"""The count of runs stays within 16 bits."""


def begin(profiles: Profiles, slots: Indices, first_ms: Integers, again: NDArray[np.bool_]) -> None:
    """A run begins with a row at `first_ms`; `again`: after another one, which is finished now. Distinct slots."""
    ended = slots[again]
    profiles["runs"][ended] += profiles["runs"][ended] < _MOST
    _next_column(profiles, ended)
    profiles["run_start_ms"][slots] = first_ms
    starts.begin_run(profiles, slots)


def end_days(profiles: Profiles, slots: Indices, ended: Integers, begun: Integers) -> None:
    """The next column where two days are over in the middle of a run; distinct slots, UTC day numbers."""
    _next_column(profiles, slots[begun // COLUMN_DAYS > ended // COLUMN_DAYS])


def _next_column(profiles: Profiles, slots: Indices) -> None:
    column = (profiles["run_column"][slots] + 1) % RUNS
    profiles["run_column"][slots] = column
    for name in ("run_start_peak", "run_peak"):
        profiles[name][slots, :, column] = 0


def add(
    profiles: Profiles,
    pieces: Pieces,
    signal: int,
    resource: int,
    peak: NDArray[np.float32],
    starting: NDArray[np.bool_] | None,
) -> None:
    """Peaks [k] of pieces into the running column, those of starting rows [n] (None: there are none) apart."""
    cell = (pieces.slot * _R + resource) * RUNS + profiles["run_column"][pieces.slot]
    steady = peak.astype(np.float64)
    if starting is not None:
        values = pieces.rows.values[signal]
        early = np.fmax.reduceat(np.where(starting, values, np.nan), pieces.start)
        steady = np.fmax.reduceat(np.where(starting, np.nan, values), pieces.start)
        np.maximum.at(profiles["run_start_peak"].reshape(-1), cell, to_peak16(early))
    np.maximum.at(profiles["run_peak"].reshape(-1), cell, to_peak16(steady))
