"""The times of rows: those at which the best metric of each entity has samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Numbers = NDArray[np.int32]

_TIME_BITS = 42
"""Milliseconds until 2109; 21 bits are left for two million entities."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Rows sorted by entity and time. interval_ms 0: nothing is known of before, so it is no row yet."""

    entity: Numbers
    time_ms: Times
    interval_ms: Times

    def __len__(self) -> int:
        return len(self.entity)

    def row_of(self, entity: Numbers, time_ms: Times) -> NDArray[np.int64]:
        """The row of its entity in whose span each sample falls, [n]; len(self) when it is later than all of them."""
        at = np.searchsorted(_key(self.entity, self.time_ms), _key(entity, time_ms))
        inside = np.minimum(at, len(self) - 1) if len(self) else at
        return np.where((at < len(self)) & (self.entity[inside] == entity), at, len(self)) if len(self) else at


def timeline(
    entity: Numbers,
    slot: NDArray[np.int16],
    time_ms: Times,
    alive: NDArray[np.bool_],
    newest_ms: Times,
    max_gap_s: float,
) -> Timeline:
    """The rows that these samples [n] make: one for each time of an entity's lowest slot. alive: it is no stale marker.
    newest_ms: time of the newest row by number of entity, 0 for none; it is moved on."""
    best = np.full(len(newest_ms), np.iinfo(np.int16).max, np.int16)
    np.minimum.at(best, entity, slot)
    line = slot == best[entity]
    keys, of = np.unique(_key(entity[line], time_ms[line]), return_inverse=True)
    living = np.zeros(len(keys), np.bool_)
    np.logical_or.at(living, of, alive[line])
    who, when = (keys >> _TIME_BITS).astype(np.int32), keys & ((1 << _TIME_BITS) - 1)
    first, last = np.diff(who, prepend=-1) != 0, np.diff(who, append=-1) != 0
    before = np.where(first, newest_ms[who], np.where(np.roll(living, 1), np.roll(when, 1), 0))
    interval = when - before
    newest_ms[who[last]] = np.where(living[last], when[last], 0)
    good = living & (before > 0) & (interval > 0) & (interval <= max_gap_s * 1000)
    return Timeline(who, when, np.where(good, interval, 0))


def _key(entity: Numbers, time_ms: Times) -> Times:
    return (entity.astype(np.int64) << _TIME_BITS) | time_ms
