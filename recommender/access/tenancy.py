"""What of a snapshot belongs to which namespace: an index, so that one asker's part is found without a look at others'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pyarrow as pa

from models.columns import Array
from models.events import WorkloadEvent
from models.inventory import Allocation, Node
from recommender.access.scope import namespace_of

T = TypeVar("T")
ByNamespace = dict[str, dict[str, T]]
"""Cluster, then namespace."""


@dataclass(frozen=True, slots=True)
class Tenancy:
    """places: of rows, ascending. held: allocations by node key. events: oldest first. nodes: every node as hardware, that
    is without what it holds, and without the time of its report, which tells when somebody came or went."""

    places: Mapping[str, Mapping[str, Array]]
    held: Mapping[str, Mapping[str, Mapping[str, Sequence[Allocation]]]]
    events: Mapping[str, Mapping[str, Sequence[WorkloadEvent]]]
    nodes: Mapping[str, Node]

    @classmethod
    def of(cls, names: pa.Table, nodes: Mapping[str, Node], events: Sequence[WorkloadEvent]) -> Tenancy:
        """names: columns `cluster` and `namespace` of all rows."""
        return cls(
            _places(names),
            _held(nodes),
            _events(events),
            {key: replace(node, allocations=(), time_ms=0) for key, node in nodes.items()},
        )


def _places(names: pa.Table) -> ByNamespace[Array]:
    """By one sort of codes: 100,000 rows take some 10 ms."""
    cluster, namespace = (names[part].combine_chunks().dictionary_encode() for part in ("cluster", "namespace"))
    width = max(len(namespace.dictionary), 1)
    codes = cluster.indices.to_numpy().astype(np.int64) * width + namespace.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    found, starts = np.unique(codes[order], return_index=True)
    index: ByNamespace[Array] = {}
    for code, places in zip(found.tolist(), np.split(order, starts[1:]), strict=bool(len(found))):
        c, n = cluster.dictionary[code // width].as_py(), namespace.dictionary[code % width].as_py()
        index.setdefault(c, {})[n] = places
    return index


def _held(nodes: Mapping[str, Node]) -> ByNamespace[dict[str, list[Allocation]]]:
    index: ByNamespace[dict[str, list[Allocation]]] = {}
    known: dict[str, dict[str, list[Allocation]]] = {}
    for key, node in nodes.items():
        for allocation in node.allocations:
            mine = known.get(allocation.workload)
            if mine is None:
                cluster, namespace = namespace_of(allocation.workload)
                mine = known[allocation.workload] = index.setdefault(cluster, {}).setdefault(namespace, {})
            mine.setdefault(key, []).append(allocation)
    return index


def _events(events: Sequence[WorkloadEvent]) -> ByNamespace[list[WorkloadEvent]]:
    index: ByNamespace[list[WorkloadEvent]] = {}
    for event in events:
        cluster, namespace = namespace_of(event.workload)
        index.setdefault(cluster, {}).setdefault(namespace, []).append(event)
    return index
