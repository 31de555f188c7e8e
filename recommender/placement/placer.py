"""Many decisions quickly: costs are kept per kind of request and node, and computed anew only where a node changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.placement.cluster import Cluster
from recommender.placement.policies import Policy
from recommender.placement.request import Floats, Ints, Request


@dataclass(frozen=True, slots=True)
class Placed:
    """slots: the GPUs of the node, by position. cost: of the policy, lower is better."""

    node: int
    slots: tuple[int, ...]
    cost: float


class Placer:
    """Places requests one after the other. The cluster may change only through it."""

    def __init__(self, cluster: Cluster, policy: Policy) -> None:
        self._cluster, self._policy = cluster, policy
        self._costs: dict[Request, Floats] = {}
        self._seen: dict[Request, int] = {}
        self._changes: list[int] = []

    def place(self, request: Request) -> Placed | None:
        """Take room for the request; None when no node has any."""
        costs = self.costs(request)
        node = int(costs.argmin())
        if not np.isfinite(costs[node]):
            return None
        node = self._policy.select(costs)
        slots = self._policy.slots(request, node)
        self._cluster.take(node, request, slots)
        self._change(node)
        return Placed(node, tuple(slots), float(costs[node]))

    def remove(self, request: Request, placed: Placed) -> None:
        """The request ended: its room is free again."""
        self._cluster.give_back(placed.node, request, placed.slots)
        self._change(placed.node)

    def costs(self, request: Request) -> Floats:
        """[n] cost per node; infinite where there is no room."""
        if request not in self._costs:
            self._costs[request] = np.full(len(self._cluster), np.inf)
            nodes = np.arange(len(self._cluster))
        else:
            nodes = _distinct(self._changes[self._seen[request] :])
        self._seen[request] = len(self._changes)
        if len(nodes):
            room = self._cluster.feasible(request, nodes)
            self._costs[request][nodes] = np.inf
            self._costs[request][nodes[room]] = self._priced(request, nodes[room])
        return self._costs[request]

    def _priced(self, request: Request, nodes: Ints) -> Floats:
        costs = self._policy.costs(request, nodes)
        return costs + self._cluster.unwelcoming(request, nodes) if self._cluster.tainted.dissuades else costs

    def _change(self, node: int) -> None:
        self._policy.changed(node)
        self._changes.append(node)


def _distinct(nodes: Sequence[int]) -> np.ndarray:
    return np.unique(np.array(nodes, dtype=np.int64))
