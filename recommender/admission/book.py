"""The webhook's own view of the log: of each workload only what a review asks for, found by its id at once.

One thread writes, any thread reads. A slab is swapped as a whole; the index of ids changes only where workloads come or
go, which is rare, so that 100,000 workloads that are decided anew every few seconds cost a decode of their slabs and
nothing else. Together they take 30 MB.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from models.columns import Array, Columns
from models.workload import WorkloadName
from recommender.admission.advice import Advice, ResourceAdvice, SliceAdvice
from recommender.admission.slice_book import SliceBook
from recommender.recommendation_id import recommendation_id

SlabKey = tuple[int, str]
READ = ("computed_ms", "confidence", "action", "reasons", "target", "lower", "upper")


class Slab:
    """Recommendations of one message. Its ids never change; its columns are swapped when it is decided anew."""

    __slots__ = ("columns", "ids")

    def __init__(self, columns: Columns) -> None:
        self.ids = list(columns.workloads)
        self.columns = own(columns)


class SizeBook:
    """`wanted_cluster` empty: the only cluster that the log knows; with several of them none is taken. `slices` None: GPUs
    are left alone."""

    def __init__(self, wanted_cluster: str = "", slices: SliceBook | None = None) -> None:
        self._wanted, self.slices = wanted_cluster, slices
        self._slabs: dict[SlabKey, Slab] = {}
        self._place: dict[str, tuple[Slab, int]] = {}
        self._clusters: Counter[str] = Counter()
        self.cluster = wanted_cluster

    def __len__(self) -> int:
        return len(self._place)

    def advice(self, workload: str) -> Advice | None:
        """About 5 µs."""
        place = self._place.get(workload)
        if place is None:
            return None
        slab, row = place
        columns = slab.columns  # one look: the writer may swap them
        return Advice(
            recommendation_id(workload, int(columns["computed_ms"][row])),
            workload,
            float(columns["confidence"][row]),
            (_resource(columns, row, 0), _resource(columns, row, 1)),
        )

    def slice_of(self, workload: str) -> SliceAdvice | None:
        return self.slices.slice_of(workload) if self.slices else None

    def put(self, key: SlabKey, columns: Columns) -> None:
        known = self._slabs.get(key)
        if known is not None and known.ids == columns.workloads:
            known.columns = own(columns)
            return
        fresh = Slab(columns)
        self._slabs[key] = fresh
        self._place.update((workload, (fresh, row)) for row, workload in enumerate(fresh.ids))
        self._count(fresh.ids, 1)
        if known is not None:
            self._forget(known)

    def drop(self, key: SlabKey) -> None:
        known = self._slabs.pop(key, None)
        if known is not None:
            self._forget(known)

    def _forget(self, slab: Slab) -> None:
        """Those that did not move to another slab."""
        for workload in slab.ids:
            place = self._place.get(workload)
            if place is not None and place[0] is slab:
                del self._place[workload]
        self._count(slab.ids, -1)

    def _count(self, ids: Sequence[str], sign: int) -> None:
        for cluster, count in Counter(workload.partition("/")[0] for workload in ids).items():
            self._clusters[cluster] += sign * count
        known = [cluster for cluster, count in self._clusters.items() if count > 0]
        self.cluster = self._wanted or (_unquoted(known[0]) if len(known) == 1 else "")


def own(columns: Columns) -> dict[str, Array]:
    """Copied off the message, whose unpacked form would stay in memory with them."""
    return {name: columns[name].copy() for name in READ}


def _resource(columns: dict[str, Array], row: int, number: int) -> ResourceAdvice:
    return ResourceAdvice(
        int(columns["action"][row, number]),
        int(columns["reasons"][row, number]),
        float(columns["target"][row, number]),
        float(columns["lower"][row, number]),
        float(columns["upper"][row, number]),
    )


def _unquoted(cluster: str) -> str:
    return WorkloadName.parse(f"{cluster}////").cluster
