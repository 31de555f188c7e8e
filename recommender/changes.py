"""Which recommendations changed, by where the log says so: what a change feed tells, to whoever asks from wherever they were.

A recommendation message holds a slab of up to 256 workloads; a row of it counts as changed when its `changed_ms` differs
from that of the version before. Places are offsets of the recommendations stream, so they mean the same in every process
that reads the log, and after a restart. Of what a process did not see itself it says more than needed, never less: of a
slab whose earlier version compaction has taken away, every row counts as changed in the version that is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from models.columns import Array, Columns
from recommender.removals import Removals, Removed

MOST_REMOVED = 100_000
"""Removed workloads that are remembered, of each partition; of older ones a reader is told to begin anew."""


@dataclass(frozen=True, slots=True)
class SlabChanges:
    """One slab as its newest message says. changed [n]: offset of the message in which each row last changed."""

    offset: int
    ids: Sequence[str]
    changed: Array
    changed_ms: Array


@dataclass(frozen=True, slots=True)
class PartitionChanges:
    """end: the next offset to read. sure: every removal at or after this offset is known. slabs: by key, in order of their
    offsets. removed: who is gone, by namespace."""

    end: int = 0
    sure: int = 0
    slabs: Mapping[str, SlabChanges] = field(default_factory=dict)
    removed: Removed = field(default_factory=dict)


Changes = Mapping[int, PartitionChanges]
"""By partition, every one of the stream."""


class ChangeTracker:
    """Follows the recommendations stream. Used by one thread; what `freeze` returns never changes."""

    def __init__(self, most_removed: int = MOST_REMOVED) -> None:
        self._most_removed = most_removed
        self._partitions: dict[int, PartitionChanges] = {}
        self._removals: dict[int, Removals] = {}
        self._home: dict[str, tuple[int, str]] = {}

    def opened(self, ends: Mapping[int, int]) -> None:
        """The log is read from its beginning, or again after it was away: what was removed meanwhile was not seen, and is
        not known before `ends`, the next offset to be written of each partition now."""
        for partition, end in ends.items():
            known = self._partitions.get(partition, PartitionChanges())
            self._partitions[partition] = replace(known, sure=max(known.sure, end))

    def caught_up(self) -> None:
        """All that was there when the log was opened has been taken. A log may count offsets that carry no message."""
        for partition, known in self._partitions.items():
            self._partitions[partition] = replace(known, end=max(known.end, known.sure))

    def take(self, partition: int, key: str, offset: int, rows: Columns | None) -> None:
        """A message; rows None: a tombstone."""
        known = self._partitions.get(partition, PartitionChanges(sure=offset))
        before = known.slabs.get(key)
        slabs = {name: slab for name, slab in known.slabs.items() if name != key}
        if rows is not None and len(rows):
            slabs[key] = _slab(offset, rows, before)
        removals = self._removals.setdefault(partition, Removals())
        here: Sequence[str] = () if rows is None else rows.workloads
        removals.change(here, self._gone((partition, key), () if before is None else before.ids, here), offset)
        sure = max(known.sure, removals.keep(self._most_removed))
        self._partitions[partition] = PartitionChanges(max(known.end, offset + 1), sure, slabs, removals.now)

    def freeze(self) -> Changes:
        return dict(self._partitions)

    def _gone(self, home: tuple[int, str], before: Sequence[str], here: Sequence[str]) -> Sequence[str]:
        """Of a slab's workloads; one that another slab of the partition holds by now is not gone."""
        gone = [workload for workload in sorted(set(before) - set(here)) if self._home.get(workload) == home]
        for workload in here:
            self._home[workload] = home
        for workload in gone:
            del self._home[workload]
        return gone


def _slab(offset: int, rows: Columns, before: SlabChanges | None) -> SlabChanges:
    at_ms = rows["changed_ms"].copy()
    changed = np.full(len(rows), offset, dtype=np.int64)
    if before is not None:
        here, there = _same_workloads(rows.workloads, before.ids)
        same = (at_ms[here] == before.changed_ms[there]) & (at_ms[here] > 0)
        changed[here[same]] = before.changed[there[same]]
    return SlabChanges(offset, list(rows.workloads), changed, at_ms)


def _same_workloads(here: Sequence[str], there: Sequence[str]) -> tuple[Array, Array]:
    """Places of those that are in both. A slab mostly grows, so mostly it is the same list."""
    if list(here[: len(there)]) == list(there):
        places = np.arange(len(there))
        return places, places
    row_of = {workload: row for row, workload in enumerate(there)}
    pairs = [(row, row_of[workload]) for row, workload in enumerate(here) if workload in row_of]
    left, right = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return left, right
