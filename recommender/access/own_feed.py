"""The change feed of one tenant: what changed of its own workloads, in the order of their ids.

The feed of the whole fleet goes slab by slab in the order of the log, and its cursor counts the log's messages; both tell of
others. Here a cursor is sealed, and a sweep goes over own workloads alone: everything that changed at or after `base`, by id,
`limit` at a time; when it is through, the place in the log where it began becomes the next `base`. What changes while a
sweep goes on is told by it or by the next, or by both: nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from recommender.access.restrict import restrict
from recommender.access.scope import Scope
from recommender.access.seal import Sealer, SealError
from recommender.changes import PartitionChanges, SlabChanges
from recommender.feed import Change
from recommender.view import Slab, Snapshot


@dataclass(frozen=True, slots=True)
class Place:
    """Offsets per partition. base: told is all that changed before it. sure: told is who was removed before it. end: where
    the log was when this sweep began; empty between two. after: the last id that this sweep told."""

    base: tuple[int, ...]
    sure: tuple[int, ...]
    end: tuple[int, ...] = ()
    after: str = ""


@dataclass(frozen=True, slots=True)
class OwnCursor:
    """Where a tenant is. As text it is sealed, anew each time, so that no two texts tell whether anything moved."""

    place: Place
    sealer: Sealer
    purpose: str

    def __str__(self) -> str:
        return self.sealer.seal(msgspec.json.encode(self.place), self.purpose)


@dataclass(frozen=True, slots=True)
class OwnPage:
    """As recommender.feed.Page."""

    changes: Sequence[Change]
    cursor: OwnCursor
    reset: bool
    more: bool


class OwnFeed:
    """The feed of who has this scope."""

    def __init__(self, scope: Scope, sealer: Sealer) -> None:
        self._scope, self._sealer = scope, sealer
        self._purpose = f"feed {','.join(scope.namespaces)}"

    def cursor(self, text: str) -> OwnCursor | None:
        """None: it was sealed by a key that is gone, or for others; the reader begins anew."""
        try:
            place = msgspec.json.decode(self._sealer.open(text, self._purpose), type=Place)
        except (SealError, msgspec.DecodeError):
            return None
        return OwnCursor(place, self._sealer, self._purpose)

    def page(self, snapshot: Snapshot, cursor: OwnCursor | None, limit: int) -> OwnPage:
        """At most `limit` changes."""
        parts = [part for _, part in sorted(snapshot.changes.items())]
        ends = tuple(part.end for part in parts)
        reset = cursor is None or not _follows(cursor.place, parts)
        place = Place((0,) * len(parts), ends) if reset or cursor is None else cursor.place
        if any(end < known for end, known in zip(ends, place.end or place.base, strict=True)):
            return self._told([], place, reset, False)  # another process has read further: wait until this one has
        if not place.end:
            place = replace(place, end=ends)
        found = sorted(self._changed(snapshot, place, parts), key=lambda change: change.workload)
        if len(found) > limit:
            return self._told(found[:limit], replace(place, after=found[limit - 1].workload), reset, True)
        return self._told(found, Place(place.end, place.end), reset, False)

    def _told(self, changes: Sequence[Change], place: Place, reset: bool, more: bool) -> OwnPage:
        return OwnPage(changes, OwnCursor(place, self._sealer, self._purpose), reset, more)

    def _changed(self, snapshot: Snapshot, place: Place, parts: Sequence[PartitionChanges]) -> Iterator[Change]:
        """What is there: by own rows. Who is gone: by own namespaces, from the newest back, as far as the sweep reaches."""
        partitions = sorted(snapshot.changes)
        own = list(self._scope.pick(snapshot.tenancy.places))
        places = np.sort(np.concatenate(own)) if own else np.empty(0, dtype=np.int64)
        for (partition, key), slab, rows in snapshot.by_slab(places):
            changes = snapshot.changes[partition].slabs.get(key) if partition in snapshot.changes else None
            base = place.base[partitions.index(partition)] if changes else 0
            for row in rows.tolist() if changes else ():
                workload = slab.ids[row]
                if workload > place.after and _offset(changes, slab, row) >= base:
                    yield Change(workload, partition, key, row)
        there = restrict(snapshot, self._scope)
        for number, part in enumerate(parts):
            for workload in self._gone(part, place.sure[number]):
                if workload > place.after and not _recommended(there, workload):
                    yield Change(workload, partitions[number])

    def _gone(self, part: PartitionChanges, since: int) -> Iterator[str]:
        for own in self._scope.pick(part.removed):
            for workload, offset in reversed(list(own.items())):
                if offset < since:
                    break
                yield workload


def _recommended(own: Snapshot, workload: str) -> bool:
    """Somewhere: it may have moved. A profile may outlive its recommendation for a moment, and then says nothing."""
    row = own.get(workload)
    return row is not None and int(row["computed_ms"]) > 0


def _follows(place: Place, parts: Sequence[PartitionChanges]) -> bool:
    """Whether all that was removed since is known here."""
    return len(place.base) == len(place.sure) == len(parts) and all(
        sure >= part.sure for sure, part in zip(place.sure, parts, strict=True)
    )


def _offset(changes: SlabChanges | None, slab: Slab, row: int) -> int:
    """Of the message in which this row last changed; -1 where it has no recommendation. Mostly both have one order."""
    workload = slab.ids[row]
    if changes is None:
        return -1
    if row < len(changes.ids) and changes.ids[row] == workload:
        return int(changes.changed[row])
    return int(changes.changed[changes.ids.index(workload)]) if workload in changes.ids else -1
