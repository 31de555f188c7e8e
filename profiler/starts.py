"""Which rows are of an instance that has just begun: a pod of a roll-out, a container that was restarted, a job's run.

Instances are told apart by six bits of their name, 64 of them in one integer: enough to see a start, and nothing is kept
per instance. Two of one code look like one, so with hundreds of replicas some starts go unseen; what is taken for a start
is one, but for an instance that was silent for a day. An instance is starting in the five minutes, by the clock, in which
it is first seen, and in the five after them: for five to ten minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiler.pieces import Pieces, newest_before
from profiler.profiles import Indices, Profiles
from profiler.rows import Integers

SLOT_MS = 300_000
"""Two of them are longer than images, caches and just-in-time compilers take, and shorter than most jobs."""
CODES = 64
_ONE = np.uint64(1)
Bits = NDArray[np.uint64]


def begin_run(profiles: Profiles, slots: Indices) -> None:
    """Whatever comes now of these workloads has just begun; distinct slots."""
    for name in ("instances_known", "instances_seen", "instances_older", "instances_newer"):
        profiles[name][slots] = 0


def end_days(profiles: Profiles, slots: Indices) -> None:
    """Forget the instances that were not seen on the day that ends, or a month of roll-outs would leave no code free;
    distinct slots."""
    starting = profiles["instances_older"][slots] | profiles["instances_newer"][slots]
    profiles["instances_known"][slots] = profiles["instances_seen"][slots] & ~starting
    profiles["instances_seen"][slots] = 0


def mark(profiles: Profiles, pieces: Pieces) -> NDArray[np.bool_] | None:
    """Which rows are of a starting instance, [n]; None: none are. Before `last_seen_ms` takes the pieces in.

    Mostly every instance is known and this ends after one comparison."""
    bit = _ONE << pieces.rows.instance.astype(np.uint64)
    known, seen = profiles["instances_known"][pieces.slot], profiles["instances_seen"][pieces.slot]
    moving = (profiles["instances_older"][pieces.slot] | profiles["instances_newer"][pieces.slot]) != 0
    unsettled = (np.repeat(known & seen, pieces.length) & bit) == 0
    if not (moving.any() or unsettled.any()):
        return None
    np.bitwise_or.at(profiles["instances_seen"], pieces.rows.slot[unsettled], bit[unsettled])
    fresh = np.flatnonzero(unsettled & ((np.repeat(known, pieces.length) & bit) == 0))
    started = _Started.of(profiles, pieces, fresh)
    _keep(profiles, started, *_turn(profiles, pieces))
    if not len(fresh):
        return None
    starting = np.zeros(len(pieces.rows), dtype=np.bool_)
    starting[fresh] = _within(profiles, pieces, fresh, started)
    return starting


@dataclass(frozen=True, slots=True)
class _Started:
    """Instances not known yet: workload, bit, and the five minutes (since 1970) in which each was first seen; `place`: the
    instance of each row."""

    slot: Indices
    bit: Bits
    at: Integers
    place: Indices

    @classmethod
    def of(cls, profiles: Profiles, pieces: Pieces, fresh: Indices) -> _Started:
        """Of rows `fresh`, in the order of the log; the state tells when those that go on starting were first seen."""
        rows = pieces.rows
        key = rows.slot[fresh] * CODES + rows.instance[fresh]
        found, first, place = np.unique(key, return_index=True, return_inverse=True)
        slot, bit = found // CODES, _ONE << (found % CODES).astype(np.uint64)
        newest = profiles["last_seen_ms"][slot] // SLOT_MS
        newer, older = (profiles[f"instances_{name}"][slot] & bit != 0 for name in ("newer", "older"))
        at = np.where(newer, newest, np.where(older, newest - 1, rows.time_ms[fresh[first]] // SLOT_MS))
        return cls(slot, bit, at, place)


def _within(profiles: Profiles, pieces: Pieces, fresh: Indices, started: _Started) -> NDArray[np.bool_]:
    """Which of these rows fall into the start of their instance: by their own time, and by the newest that was known before
    their message, so that it does not matter which messages are absorbed together."""
    before = newest_before(pieces.slot, pieces.newest_ms // SLOT_MS, profiles["last_seen_ms"][pieces.slot] // SLOT_MS)
    last = started.at[started.place] + 1
    own = pieces.rows.time_ms[fresh] // SLOT_MS
    within: NDArray[np.bool_] = (own <= last) & (np.repeat(before, pieces.length)[fresh] <= last)
    return within


def _turn(profiles: Profiles, pieces: Pieces) -> tuple[Indices, Integers]:
    """Age what is starting to the newest row of each workload. Returns the workloads and the five minutes of that row."""
    slots, place = np.unique(pieces.slot, return_inverse=True)
    newest = profiles["last_seen_ms"][slots] // SLOT_MS
    now = newest.copy()
    np.maximum.at(now, place, pieces.newest_ms // SLOT_MS)
    known, older, newer = (profiles[f"instances_{name}"] for name in ("known", "older", "newer"))
    by_one, by_more = slots[now - newest == 1], slots[now - newest > 1]
    known[by_one] |= older[by_one]
    older[by_one] = newer[by_one]
    newer[by_one] = 0
    known[by_more] |= older[by_more] | newer[by_more]
    older[by_more] = newer[by_more] = 0
    return slots, now


def _keep(profiles: Profiles, started: _Started, slots: Indices, now: Integers) -> None:
    age = now[np.searchsorted(slots, started.slot)] - started.at
    for name, chosen in (("newer", age <= 0), ("older", age == 1), ("known", age > 1)):
        np.bitwise_or.at(profiles[f"instances_{name}"], started.slot[chosen], started.bit[chosen])
