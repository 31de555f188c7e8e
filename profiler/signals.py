"""What is kept of every CPU signal: count, decayed mean, highest and newest value. A missing signal keeps count 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.signals import CPU_SIGNALS
from profiler.peaks import Float32s, at_least
from profiler.pieces import Pieces
from profiler.profiles import Indices, Profiles
from profiler.rows import Rows

Floats = NDArray[np.float64]
_S = len(CPU_SIGNALS)
MOST_COUNTED = np.uint32(1 << 31)


@dataclass(frozen=True, slots=True)
class Summary:
    """One signal of k pieces. `present`: which of the n rows have a value, None for all; `last` NaN where none has."""

    present: NDArray[np.bool_] | None
    count: NDArray[np.int64]
    peak: Float32s
    last: Floats


def told(rows: Rows) -> Sequence[int]:
    """The signals that any of these rows has: of sixteen mostly six, and a batch of hours asks for each of them anew."""
    return [signal for signal in range(_S) if not np.isnan(rows.values[signal]).all()]


def summarise(pieces: Pieces, signal: int) -> Summary | None:
    """Count, peak and last value per piece; None when no row has a value."""
    values = pieces.rows.values[signal]
    end = pieces.start + pieces.length - 1
    missing = np.isnan(values)
    if not missing.any():
        peak = np.maximum.reduceat(values, pieces.start)
        return Summary(None, pieces.length, at_least(peak), values[end])
    if missing.all():
        return None
    present = ~missing
    count = np.add.reduceat(present.astype(np.int64), pieces.start)
    newest = np.maximum.reduceat(np.where(present, np.arange(len(values)), -1), pieces.start)
    last = np.where(count > 0, values[newest], np.nan)
    return Summary(present, count, at_least(np.fmax.reduceat(values, pieces.start)), last)


def sums(pieces: Pieces, signal: int, weight: Floats, present: NDArray[np.bool_] | None) -> tuple[Floats, Floats]:
    """Per piece, the sum of value times `weight` [n] and of the weights, over the rows that have a value."""
    values = pieces.rows.values[signal]
    if present is not None:
        values, weight = np.where(present, values, 0.0), np.where(present, weight, 0.0)
    return np.add.reduceat(values * weight, pieces.start), np.add.reduceat(weight, pieces.start)


def add(profiles: Profiles, slot: Indices, signal: int, summary: Summary, total: Floats, weight: Floats) -> None:
    """Summaries of pieces into the state, in their order; the last piece of a workload gives its newest value."""
    cell = slot * _S + signal
    np.add.at(profiles["signal_count"].reshape(-1), cell, summary.count.astype(np.uint32))
    np.add.at(profiles["signal_sum"].reshape(-1), cell, total)
    np.add.at(profiles["signal_weight"].reshape(-1), cell, weight)
    np.fmax.at(profiles["signal_peak"].reshape(-1), cell, summary.peak)
    has = summary.count > 0
    profiles["signal_last"].reshape(-1)[cell[has]] = summary.last[has]
    np.bitwise_or.at(profiles["hour_signals"], slot[has], np.uint32(1 << signal))


def end_hours(profiles: Profiles, slots: Indices) -> None:
    """Forget newest values of signals that were silent for the hour that ends, or a limit that was taken away would be
    reported for ever. Counts stop at MOST_COUNTED: an hour cannot double that. Distinct slots."""
    profiles["signal_count"][slots] = np.minimum(profiles["signal_count"][slots], MOST_COUNTED)
    heard = profiles["hour_signals"][slots, None] >> np.arange(_S, dtype=np.uint32) & 1
    profiles["signal_last"][slots] = np.where(heard, profiles["signal_last"][slots], np.nan)
    profiles["hour_signals"][slots] = 0


def shift(profiles: Profiles, slots: Indices, half_lives: NDArray[np.int64]) -> None:
    """Halve sums and weights as often as the reference moves by half-lives; distinct slots. Exact in binary."""
    for name in ("signal_sum", "signal_weight"):
        profiles[name][slots] = np.ldexp(profiles[name][slots], -half_lives[:, None])


def write_means(profiles: Profiles, slots: slice) -> None:
    """Derive signal_mean, which readers want, from sum and weight."""
    weight = profiles["signal_weight"][slots]
    mean = np.divide(profiles["signal_sum"][slots], weight, out=np.full_like(weight, np.nan), where=weight > 0)
    profiles["signal_mean"][slots] = mean
