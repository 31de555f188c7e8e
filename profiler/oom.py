"""OOM kills, with the memory that was seen before them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.profile import MEMORY
from profiler.pieces import Pieces, newest_before
from profiler.profiles import Indices, Profiles


def add(profiles: Profiles, pieces: Pieces, signal: int, peak: NDArray[np.float32] | None) -> None:
    """Count the kills of pieces. `peak` [k]: their memory peaks, not yet part of the state; None without memory.

    The memory of a kill is the highest of the running window up to and with the piece: the row after a kill shows a
    process that began anew, so its own value says little."""
    kills = np.nan_to_num(pieces.rows.values[signal])
    hit = np.logical_or.reduceat(kills > 0, pieces.start)
    if not hit.any():
        return
    times = np.maximum.reduceat(np.where(kills > 0, pieces.rows.time_ms, 0), pieces.start)
    own = np.full(len(pieces), np.nan, dtype=np.float32) if peak is None else peak
    slot = pieces.slot[hit]
    np.add.at(profiles["oom_kills"], slot, np.rint(np.add.reduceat(kills, pieces.start)[hit]).astype(np.int64))
    np.maximum.at(profiles["last_oom_ms"], slot, times[hit])
    np.fmax.at(profiles["oom_peak"], slot, _running_peak(profiles, pieces.slot, own)[hit])


def _running_peak(profiles: Profiles, slot: Indices, peak: NDArray[np.float32]) -> NDArray[np.float32]:
    """The running window's memory peak up to and with each piece.

    Floats that are not negative sort as their bits do, so the integers' running maximum serves; -1 stands for NaN."""
    own = _bits(peak)
    highest = np.maximum(newest_before(slot, own, _bits(profiles["window_peak"][slot, MEMORY])), own)
    return np.where(highest < 0, np.float32(np.nan), highest.astype(np.int32).view(np.float32))


def _bits(values: NDArray[np.float32]) -> NDArray[np.int64]:
    bits = np.ascontiguousarray(values).view(np.int32).astype(np.int64)
    return np.where(np.isnan(values), -1, bits)
