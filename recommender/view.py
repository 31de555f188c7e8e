"""What the API answers from: one immutable snapshot of the compacted streams, as columns.

A reader takes `View.snapshot` once and works on it; a newer one never changes what it holds, and nobody waits for a lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.columns import Array, Columns, Field, empty_arrays
from models.events import WorkloadEvent
from models.inventory import Node
from models.profile import PROFILE_FIELDS
from models.reasons import Action
from models.recommendation import RECOMMENDATION_FIELDS
from models.workload import WorkloadName
from recommender.access.tenancy import Tenancy
from recommender.changes import Changes

SlabKey = tuple[int, str]
"""Partition and message key: the same pair names a profile slab and the recommendations made from it."""

_SUMMARY = {
    "first_seen_ms",
    "last_seen_ms",
    "covered_ms",
    "rows",
    "signal_count",
    "signal_mean",
    "signal_peak",
    "signal_last",
    "oom_kills",
    "last_oom_ms",
    "cpu_bottleneck",
    "cpu_bottleneck_confidence",
    "run_length",
    "gpu_last_seen_ms",
    "gpu_covered_ms",
    "gpu_class_seconds",
    "gpu_counter_seconds",
    "gpu_learned_seconds",
    "gpu_framebuffer_peak",
    "gpu_count",
    "gpu_model",
    "gpu_sliced",
    "gpu_bottleneck",
    "gpu_bottleneck_confidence",
    "gpu_evidence",
    "gpu_roofline",
}
SUMMARY_FIELDS: tuple[Field, ...] = tuple(f for f in PROFILE_FIELDS if f.name in _SUMMARY)
"""What is kept decoded of a profile: 0.6 KB of its 7 KB. The rest stays packed until someone asks for one workload."""

QUERY_COLUMNS = (
    "first_seen_ms",
    "gpu_last_seen_ms",
    "last_seen_ms",
    "covered_ms",
    "oom_kills",
    *(f.name for f in RECOMMENDATION_FIELDS if len(f.shape) < 2),
)
"""Columns that can be filtered or sorted by, joined over all slabs in every snapshot."""

NAME_COLUMNS = ("id", "cluster", "namespace", "kind", "name", "container")


@dataclass(frozen=True)
class Slab:
    """One profile slab and its recommendations, row by row. Not slotted: cached properties."""

    ids: Sequence[str]
    columns: Mapping[str, Array]
    packed_profile: bytes | None = None

    def packed_of(self, index: int) -> bytes | None:
        """The packed profiles among which that of this row is; None when it was not read yet."""
        return self.packed_profile

    def take(self, rows: Array) -> Slab:
        """These rows alone."""
        ids = [self.ids[row] for row in rows.tolist()]
        return Slab(ids, {name: column[rows] for name, column in self.columns.items()}, self.packed_profile)

    @cached_property
    def parts(self) -> dict[tuple[str, ...], Slab]:
        """Parts cut out of it so far, by the namespaces that they are of. They live as long as the slab."""
        return {}

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        return {workload: row for row, workload in enumerate(self.ids)}

    @cached_property
    def names(self) -> pa.Table:
        """The parts of each id, `NAME_COLUMNS`, as text."""
        parts = [_name_parts(workload) for workload in self.ids]
        columns = list(zip(*parts, strict=True)) if parts else [()] * len(NAME_COLUMNS)
        return pa.table([pa.array(column, pa.string()) for column in columns], names=list(NAME_COLUMNS))


@dataclass(frozen=True, slots=True)
class Row:
    """One workload of a snapshot."""

    slab: Slab
    index: int

    @property
    def id(self) -> str:
        return self.slab.ids[self.index]

    def __getitem__(self, column: str) -> Array:
        """The value of a column: a scalar, or an array over resources or signals."""
        value: Array = self.slab.columns[column][self.index]
        return value


@dataclass(frozen=True)
class Snapshot:
    """Everything known at one moment. `slabs` in order of partition and slab number, so rows keep their places."""

    slabs: Mapping[SlabKey, Slab] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    events: Sequence[WorkloadEvent] = ()
    newest_ms: int = 0
    """Time of the newest message read; 0 before the first."""
    changes: Changes = field(default_factory=dict)
    """Where in the log each recommendation last changed: what the change feed tells."""

    @cached_property
    def columns(self) -> Mapping[str, Array]:
        """QUERY_COLUMNS over all rows, `[n, ...]`."""
        parts = list(self.slabs.values())
        empty = empty_arrays(SUMMARY_FIELDS + RECOMMENDATION_FIELDS, 0)
        return {name: np.concatenate([empty[name], *(slab.columns[name] for slab in parts)]) for name in QUERY_COLUMNS}

    @cached_property
    def names(self) -> pa.Table:
        """NAME_COLUMNS over all rows. Chunks are shared with the slabs: nothing is copied."""
        empty = pa.table([pa.array([], pa.string())] * len(NAME_COLUMNS), names=list(NAME_COLUMNS))
        return pa.concat_tables([empty, *(slab.names for slab in self.slabs.values())])

    @cached_property
    def only_cluster(self) -> str:
        """The cluster of all workloads; empty where there are several, or none."""
        found = [name for name in pc.unique(self.names["cluster"]).to_pylist() if name]
        return str(found[0]) if len(found) == 1 else ""

    @cached_property
    def saving(self) -> Array:
        """Request now minus target per resource, `[n, 2]`, cores and bytes; 0 where it should be left as it is,
        NaN where no request is known or too little was seen."""
        action, now, target = (self.columns[name] for name in ("action", "request_now", "target"))
        changes = (action == Action.RAISE) | (action == Action.LOWER)
        return np.where(changes, now - target, np.where(action == Action.LEAVE, 0.0, np.nan))

    @cached_property
    def instances(self) -> Mapping[str, int]:
        """How many instances of each workload the nodes hold now."""
        counts: dict[str, int] = {}
        for node in self.nodes.values():
            for allocation in node.allocations:
                counts[allocation.workload] = counts.get(allocation.workload, 0) + 1
        return counts

    @cached_property
    def gpu_nodes(self) -> Mapping[str, Mapping[str, Node]]:
        """Workload to the nodes, by key, on which it holds GPUs now: to look through 1,500 of them takes 3 ms."""
        found: dict[str, dict[str, Node]] = {}
        for key, node in self.nodes.items():
            for allocation in node.allocations:
                if allocation.gpu_uuids:
                    found.setdefault(allocation.workload, {})[key] = node
        return found

    @cached_property
    def weights(self) -> Array:
        """Instances of each row, `[n]`; 1 where no node reports one, as for workloads that were imported."""
        counts = (self.instances.get(workload, 1) for slab in self._order for workload in slab.ids)
        return np.fromiter(counts, np.float64, len(self))

    @cached_property
    def tenancy(self) -> Tenancy:
        """What belongs to which namespace."""
        return Tenancy.of(self.names, self.nodes, self.events)

    @cached_property
    def restricted(self) -> dict[tuple[str, ...], Snapshot]:
        """Parts cut out of it so far, by the namespaces that they are of: see recommender.access.restrict."""
        return {}

    @cached_property
    def _ends(self) -> Array:
        return np.cumsum([len(slab.ids) for slab in self.slabs.values()])

    @cached_property
    def _keys(self) -> Sequence[SlabKey]:
        return list(self.slabs)

    @cached_property
    def _order(self) -> Sequence[Slab]:
        return list(self.slabs.values())

    def __len__(self) -> int:
        return int(self._ends[-1]) if self.slabs else 0

    def get(self, workload: str) -> Row | None:
        """One workload by id, whatever number there are: a look into the index of each slab, of 256 rows."""
        for slab in self._order:
            if (index := slab.row_of.get(workload)) is not None:
                return Row(slab, index)
        return None

    def rows(self, indices: Array) -> Iterator[Row]:
        """The rows at these places of `columns`."""
        for place in indices.tolist():
            number = int(np.searchsorted(self._ends, place, side="right"))
            yield Row(self._order[number], place - (int(self._ends[number - 1]) if number else 0))

    def by_slab(self, places: Array) -> Iterator[tuple[SlabKey, Slab, Array]]:
        """These places, ascending, as rows of the slabs that hold them."""
        numbers = np.searchsorted(self._ends, places, side="right")
        for number in np.unique(numbers).tolist():
            start = int(self._ends[number - 1]) if number else 0
            yield self._keys[number], self._order[number], places[numbers == number] - start

    def events_of(self, workload: str) -> list[WorkloadEvent]:
        """Its events among those kept, newest first."""
        return [event for event in reversed(self.events) if event.workload == workload]

    def prepare(self, by_namespace: bool = False) -> None:
        """Join the columns now, in the writer's thread, so that no request waits for it. by_namespace: index what belongs
        to whom as well, so that no asker's first answer tells by its time how much that is."""
        _ = (self.columns, self.names, self.saving, self.weights)
        if by_namespace:
            _ = self.tenancy


class View:
    """The newest snapshot and whether it is complete. Written by one thread, read by any."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self.missing: Mapping[str, str] = {"log": "not read yet"}
        """What stands between the view and readiness: stream, and why. Empty when caught up once."""
        self.ended = False
        """Whether nobody keeps the view up to date any more: who waits for news is sent home."""
        self.by_namespace = False
        """Whether askers see their own namespaces alone: then each snapshot is indexed before it is shown."""

    @property
    def ready(self) -> bool:
        return not self.missing


def join(profiles: Columns | None, packed: bytes | None, recommendations: Columns | None) -> Slab:
    """One slab of the view. Either side may still be missing, or be one commit ahead of the other; then the rows of
    both are kept, and what is missing is filled with empty values."""
    ids = list(profiles.workloads) if profiles else []
    if recommendations and list(recommendations.workloads) != ids:
        known = set(ids)
        ids += [workload for workload in recommendations.workloads if workload not in known]
    columns = _aligned(profiles, SUMMARY_FIELDS, ids) | _aligned(recommendations, RECOMMENDATION_FIELDS, ids)
    return Slab(ids, columns, packed)


def slab_order(key: SlabKey) -> tuple[int, int, str]:
    """Sorts by partition, then slab number."""
    partition, name = key
    number = name.rpartition("/")[2]
    return partition, int(number) if number.isdigit() else -1, name


def _aligned(source: Columns | None, table: Iterable[Field], ids: Sequence[str]) -> dict[str, Array]:
    if source is not None and list(source.workloads) == ids:
        return {f.name: source[f.name] for f in table}
    arrays = empty_arrays(tuple(table), len(ids))
    if source is not None:
        place = {workload: row for row, workload in enumerate(ids)}
        rows = np.array([place[workload] for workload in source.workloads], dtype=np.int64)
        for name, array in arrays.items():
            array[rows] = source[name]
    return arrays


def _name_parts(workload: str) -> tuple[str, ...]:
    try:
        name = WorkloadName.parse(workload)
    except ValueError:  # a foreign producer's id: findable by its text, and its parts are not known
        return workload, "", "", "", workload, ""
    return workload, name.cluster, name.namespace, name.kind, name.name, name.container
