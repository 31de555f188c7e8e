"""Rows cut into pieces: what one message says of one workload in one hour. A piece is the unit of arithmetic.

Within a piece values are reduced (sum, peak, count); pieces are then added to the state in the order of the log. As
both orders are fixed by the log, the state has the same bits however polls grouped the messages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiler.decay import HOUR_MS
from profiler.rows import Indices, Integers, Rows

LATE_MS = HOUR_MS
"""Rows this much older than the newest of their workload still count, in the hour that runs: instances of a workload
flush at different times, and a broker that was away delays some of them."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Rows `start[i] : start[i] + length[i]` are piece i; they are sorted by time."""

    rows: Rows
    start: Indices
    length: Indices
    slot: Indices
    hour: Integers

    def __len__(self) -> int:
        return len(self.start)

    @property
    def newest_ms(self) -> Integers:
        newest: Integers = self.rows.time_ms[self.start + self.length - 1]
        return newest

    def take(self, chosen: NDArray[np.bool_]) -> Pieces:
        """The chosen pieces with their rows alone; without a copy where they follow each other, as the hours of an import
        do."""
        length = self.length[chosen]
        begin, end = int(chosen.argmax()), len(chosen) - int(chosen[::-1].argmax())
        if end - begin == len(length):
            rows = self.rows.take(slice(self.start[begin], self.start[end - 1] + self.length[end - 1]))
        else:
            rows = self.rows.take(np.repeat(chosen, self.length))
        return Pieces(rows, np.cumsum(length) - length, length, self.slot[chosen], self.hour[chosen])


def cut(rows: Rows) -> Pieces:
    """Pieces of sorted rows (at least one)."""
    hour = rows.time_ms // HOUR_MS
    start, length = runs(rows.message, rows.slot, hour)
    return Pieces(rows, start, length, rows.slot[start], hour[start])


def late(message: Indices, slot: Indices, time_ms: Integers, last_seen_ms: Integers) -> NDArray[np.bool_]:
    """Which sorted rows [n] are over an hour older than the newest that messages before theirs brought of their workload.

    last_seen_ms: of the state, by slot. Rows of one message never make each other late."""
    start, length = runs(message, slot)
    newest, slot = time_ms[start + length - 1], slot[start]
    before = newest_before(slot, newest, np.maximum(last_seen_ms[slot], time_ms.min()))
    late_rows: NDArray[np.bool_] = time_ms < np.repeat(before - LATE_MS, length)
    return late_rows


def newest_before(slot: Indices, value: Integers, initial: Integers) -> Integers:
    """For each item the largest of `initial` and of the values of earlier items of its slot, [k]."""
    order = np.argsort(slot, kind="stable")
    first = _first(slot[order])
    if first.all():
        return initial
    ordered = value[order]
    shifted = np.where(first, initial[order], np.concatenate((ordered[:1], ordered[:-1])))
    base = shifted.min()
    lift = (np.cumsum(first) - 1) * (shifted.max() - base + 1)  # so that a slot's maximum ends with the slot
    out = np.empty_like(shifted)
    out[order] = np.maximum.accumulate(shifted - base + lift) - lift + base
    return out


def epochs(slot: Indices, advances: NDArray[np.bool_]) -> Indices:
    """How many pieces of its slot, up to and with each piece, began a new hour, [k]."""
    order = np.argsort(slot, kind="stable")
    total = np.cumsum(advances[order])
    first = _first(slot[order])
    sizes = np.diff(np.append(np.flatnonzero(first), len(slot)))
    before: Indices = np.repeat((total - advances[order])[first], sizes)
    out = np.empty(len(slot), dtype=np.intp)
    out[order] = total - before
    return out


def _first(ordered: Indices) -> NDArray[np.bool_]:
    return np.concatenate(([True], ordered[1:] != ordered[:-1]))


def runs(*columns: Integers | Indices) -> tuple[Indices, Indices]:
    """Start and length of each run of rows that are equal in all columns."""
    changes = np.zeros(len(columns[0]), dtype=np.bool_)
    changes[0] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    start = np.flatnonzero(changes)
    return start, np.diff(np.append(start, len(changes)))
