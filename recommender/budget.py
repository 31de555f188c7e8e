"""The change budget: how many workloads of a namespace may be lowered on one UTC day, and which."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from models.columns import Array, Columns
from recommender.sizing.settings import SizingPolicy
from recommender.sizing.usage import DAY_MS
from recommender.view_query import CORE_PER_GIB

UNLIMITED = SizingPolicy().lowerings_per_namespace_day
_WEIGHTS = np.array([1.0, CORE_PER_GIB / (1 << 30)])


def namespace_of(workload: str) -> str:
    """`cluster/namespace` of a workload id; of a foreign id what stands before its second slash."""
    return "/".join(workload.split("/", 2)[:2])


def share(budget: int, namespace: str, partition: int, partitions: int, day: int) -> int:
    """What one partition may spend of a namespace's budget. All shares of a day add up to the budget; what does not
    divide goes to other partitions each day."""
    turn = (partition + zlib.crc32(namespace.encode()) + day) % partitions
    return budget // partitions + (turn < budget % partitions)


@dataclass(frozen=True, slots=True)
class Wish:
    """A workload whose target would be lowered; `saving` in cores, memory by its price."""

    key: str
    row: int
    namespace: str
    saving: float
    day: int
    budget: int


def wishes(key: str, before: Columns | None, decided: Columns, budget: Array) -> Iterable[Wish]:
    """What a slab would lower now, against `before`; budget: [n] of each workload's policy."""
    now = decided["computed_ms"]
    fresh = (decided["lowered_ms"] == now[:, None]) & (decided["lowered_ms"] > 0)
    old = decided["request_now"] if before is None else _targets(before, decided)
    for row in np.flatnonzero(fresh.any(axis=1) & (budget < UNLIMITED)).tolist():
        saved = np.where(fresh[row], np.nan_to_num(old[row] - decided["target"][row]), 0.0)
        namespace = namespace_of(decided.workloads[row])
        yield Wish(key, row, namespace, float(saved @ _WEIGHTS), int(now[row] // DAY_MS), int(budget[row]))


def granted(
    wanted: Iterable[Wish], spent: Mapping[tuple[str, int], int], partition: int, partitions: int
) -> set[tuple[str, int]]:
    """Slab key and row of those that may go ahead: the largest savings first, then by key and row.

    spent: by namespace and UTC day, what was lowered already."""
    left: Counter[tuple[str, int]] = Counter()
    chosen: set[tuple[str, int]] = set()
    for wish in sorted(wanted, key=lambda wish: (-wish.saving, wish.key, wish.row)):
        where = wish.namespace, wish.day
        if where not in left:
            left[where] = share(wish.budget, wish.namespace, partition, partitions, wish.day) - spent.get(where, 0)
        if left[where] > 0:
            left[where] -= 1
            chosen.add((wish.key, wish.row))
    return chosen


def lowered(slabs: Iterable[Columns]) -> Counter[tuple[str, int]]:
    """How many workloads were lowered, by namespace and UTC day, of what stands."""
    counts: Counter[tuple[str, int]] = Counter()
    for slab in slabs:
        newest = slab["lowered_ms"].max(axis=1, initial=0)
        for row in np.flatnonzero(newest).tolist():
            counts[namespace_of(slab.workloads[row]), int(newest[row] // DAY_MS)] += 1
    return counts


def _targets(before: Columns, decided: Columns) -> Array:
    """The standing targets of the decided rows, or their requests where none stands."""
    row_of = {workload: row for row, workload in enumerate(before.workloads)}
    rows = np.array([row_of.get(workload, -1) for workload in decided.workloads])
    targets = np.where((rows >= 0)[:, None], before["target"][rows], np.nan)
    return np.where(np.isnan(targets), decided["request_now"], targets)
