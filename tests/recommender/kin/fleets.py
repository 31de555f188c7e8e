"""Snapshots of fleets whose demand follows from what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.inventory import Allocation, Node
from recommender.view import Snapshot
from tests.recommender.view_columns import slab

HOUR_MS = 3_600_000
GIB = float(1 << 30)


def fleet(ids: Sequence[str], cores: Any, gib: Any, profile: Mapping[str, Any] | None = None, **told: Any) -> Snapshot:
    """Workloads seen for ten hours; median, P95 and peak of use are 1, 2 and 3 times `cores`, and 1, 1.1 and 1.2 `gib`."""
    level = np.stack([np.broadcast_to(cores, len(ids)), np.broadcast_to(gib, len(ids)) * GIB], axis=1)
    use = {f"usage_{name}": level * times for name, times in (("p50", (1, 1)), ("p95", (2, 1.1)), ("peak", (3, 1.2)))}
    made = slab(ids, {"covered_ms": 10 * HOUR_MS} | dict(profile or {}), **use)
    return Snapshot({(0, "slab/0"): made}, **told)


def node(**held: tuple[str, str]) -> Node:
    """A node that tells image and command of workloads, by the names of jobs."""
    return Node(
        "c", "n", 1, allocations=tuple(Allocation(job(k), "i", image=i, command=c) for k, (i, c) in held.items())
    )


def job(name: str, namespace: str = "team") -> str:
    return f"c/{namespace}/Job/{name}/main"
