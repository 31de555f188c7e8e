"""The part of a snapshot that a scope shows, as a snapshot of its own.

What others have leaves no trace in it: not a row, a name or a count; not the order of rows, which is that of their ids
(places in slabs are given out first come, first served, over all); not the time of the newest message, which is that of
the asker's own. To cut it out costs by the rows that are cut out and by the number of nodes, never by others' rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.columns import Array
from models.inventory import Allocation, Node
from recommender.access.scope import Scope
from recommender.access.tenancy import Tenancy
from recommender.view import Slab, SlabKey, Snapshot

_KEY: SlabKey = (0, "scope/0")
_CLOCKS = ("last_seen_ms", "gpu_last_seen_ms", "computed_ms")


@dataclass(frozen=True)
class Gathered(Slab):
    """Rows out of many slabs; each knows where its packed profile is."""

    packed_rows: Sequence[bytes | None] = ()

    def packed_of(self, index: int) -> bytes | None:
        return self.packed_rows[index]


def restrict(snapshot: Snapshot, scope: Scope) -> Snapshot:
    """What `scope` sees of it: the snapshot itself where that is everything. Kept with the snapshot, so that it is cut out
    once per scope."""
    if scope.everywhere:
        return snapshot
    kept = snapshot.restricted.get(scope.namespaces)
    if kept is None:
        kept = snapshot.restricted[scope.namespaces] = _cut(snapshot, scope)
    return kept


def _cut(snapshot: Snapshot, scope: Scope) -> Snapshot:
    tenancy = snapshot.tenancy
    slab = _gathered(_parts(snapshot, scope))
    events = [event for own in scope.pick(tenancy.events) for event in own]
    return Snapshot(
        {_KEY: slab} if slab.ids else {},
        _nodes(tenancy, scope),
        tuple(sorted(events, key=lambda event: event.time_ms)),
        max((int(slab.columns[clock].max()) for clock in _CLOCKS), default=0) if slab.ids else 0,
    )


def _parts(snapshot: Snapshot, scope: Scope) -> Sequence[Slab]:
    """Own rows, slab by slab. A part is kept with its slab: most slabs stay from one snapshot to the next."""
    own = list(scope.pick(snapshot.tenancy.places))
    places = np.sort(np.concatenate(own)) if own else np.empty(0, dtype=np.int64)
    parts: list[Slab] = []
    for _, slab, rows in snapshot.by_slab(places):
        part = slab.parts.get(scope.namespaces)
        if part is None:
            part = slab.parts[scope.namespaces] = slab.take(rows)
        parts.append(part)
    return parts


def _gathered(parts: Sequence[Slab]) -> Gathered:
    ids = [workload for part in parts for workload in part.ids]
    packed = [part.packed_profile for part in parts for _ in part.ids]
    order = sorted(range(len(ids)), key=ids.__getitem__)
    columns = {name: _joined(parts, name)[order] for name in (parts[0].columns if parts else ())}
    return Gathered([ids[n] for n in order], columns, None, [packed[n] for n in order])


def _joined(parts: Sequence[Slab], name: str) -> Array:
    return np.concatenate([part.columns[name] for part in parts])


def _nodes(tenancy: Tenancy, scope: Scope) -> Mapping[str, Node]:
    """Nodes of the clusters that its namespaces may lie in, in order of their names, each with own allocations alone."""
    held: dict[str, list[Allocation]] = {}
    for mine in scope.pick(tenancy.held):
        for key, allocations in mine.items():
            held.setdefault(key, []).extend(allocations)
    return {
        key: replace(node, allocations=_in_order(held[key])) if key in held else node
        for key, node in sorted(tenancy.nodes.items())
        if scope.sees_cluster(node.cluster)
    }


def _in_order(allocations: Sequence[Allocation]) -> tuple[Allocation, ...]:
    return tuple(sorted(allocations, key=lambda held: (held.workload, held.instance)))
