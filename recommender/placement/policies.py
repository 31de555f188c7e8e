"""Ways to choose a node and its GPUs for one request: ours, and those it is measured against."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from recommender.placement.cluster import Cluster
from recommender.placement.fragmentation import Fragmentation, NodeStates
from recommender.placement.potential import Potential
from recommender.placement.request import GPU_MILLI, Floats, Ints, Request

_TIE = 1e-6
"""Weight of best fit among nodes of equal cost: costs differ by 1e-3 or not at all."""
_NODE_GPU_MILLI, _NODE_CPU_MILLI = 8 * GPU_MILLI, 128_000


class Policy(Protocol):
    """Costs are cached by the caller per request and node until the node changes: they may depend on nothing else."""

    def costs(self, request: Request, nodes: Ints) -> Floats:
        """[k] cost of placing the request on each of these nodes, all of which have room for it."""

    def slots(self, request: Request, node: int) -> list[int]:
        """The GPU slots to use on `node`."""

    def select(self, costs: Floats) -> int:
        """The node to use among costs [n] (infinite: no room). At least one is finite."""

    def changed(self, node: int) -> None:
        """`node` has other free resources now."""


def fullness(cluster: Cluster, nodes: Ints) -> Floats:
    """[k] free GPU and CPU of a node, each over that of a large node: least for the fullest."""
    return np.asarray(cluster.gpu_total[nodes] / _NODE_GPU_MILLI + cluster.cpu_milli[nodes] / _NODE_CPU_MILLI)


def whole_slots(cluster: Cluster, request: Request, node: int) -> list[int]:
    """The first wholly free GPUs."""
    return [int(s) for s in np.flatnonzero(cluster.gpu_milli[:, node] == GPU_MILLI)[: request.whole_gpus]]


class RandomPolicy:
    """Any node with room, any GPU with room."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster, self._random = cluster, np.random.default_rng(seed)

    def costs(self, request: Request, nodes: Ints) -> Floats:
        return np.zeros(len(nodes))

    def slots(self, request: Request, node: int) -> list[int]:
        if not request.shared:
            return whole_slots(self._cluster, request, node)
        room = np.flatnonzero(self._cluster.gpu_milli[:, node] >= request.gpu_milli)
        return [int(self._random.choice(room))]

    def select(self, costs: Floats) -> int:
        return int(self._random.choice(np.flatnonzero(np.isfinite(costs))))

    def changed(self, node: int) -> None:
        pass


class BestFitPolicy:
    """The fullest node with room, and on it the fullest GPU with room."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def costs(self, request: Request, nodes: Ints) -> Floats:
        return fullness(self._cluster, nodes)

    def slots(self, request: Request, node: int) -> list[int]:
        if not request.shared:
            return whole_slots(self._cluster, request, node)
        free = self._cluster.gpu_milli[:, node]
        return [int(np.where(free >= request.gpu_milli, free, GPU_MILLI + 1).argmin())]

    def select(self, costs: Floats) -> int:
        return int(costs.argmin())

    def changed(self, node: int) -> None:
        pass


class FgdPolicy:
    """Fragmentation gradient descent (ATC 23): the node and GPU whose fragmentation rises least; ties to best fit."""

    def __init__(self, cluster: Cluster, fragmentation: Fragmentation) -> None:
        self._cluster, self._fragmentation = cluster, fragmentation
        self._now = fragmentation.of(NodeStates.now(cluster, np.arange(len(cluster))))

    def costs(self, request: Request, nodes: Ints) -> Floats:
        return np.asarray(self._rises(request, nodes).min(axis=0) + _TIE * fullness(self._cluster, nodes))

    def slots(self, request: Request, node: int) -> list[int]:
        if not request.shared:
            return whole_slots(self._cluster, request, node)
        return [int(self._rises(request, np.array([node]))[:, 0].argmin())]

    def select(self, costs: Floats) -> int:
        return int(costs.argmin())

    def changed(self, node: int) -> None:
        self._now[node] = self._fragmentation.of(NodeStates.now(self._cluster, np.array([node])))[0]

    def _rises(self, request: Request, nodes: Ints) -> Floats:
        """[g, k] rise of fragmentation per GPU; for whole GPUs and none one row. Equal GPUs are computed once."""
        now = NodeStates.now(self._cluster, nodes)
        if not request.shared:
            gpu = now.gpu_milli.copy()
            whole = gpu == GPU_MILLI
            gpu[whole & (np.cumsum(whole, axis=0) <= request.whole_gpus)] = 0
            return (self._after(request, now, gpu, np.arange(len(nodes))) - self._now[nodes])[None]
        slot, column = np.nonzero((now.gpu_milli >= request.gpu_milli) & _first_of_equals(now.gpu_milli))
        gpu = now.gpu_milli[:, column]
        gpu[slot, np.arange(len(column))] -= request.gpu_milli
        rises = np.full(now.gpu_milli.shape, np.inf)
        rises[slot, column] = self._after(request, now, gpu, column) - self._now[nodes[column]]
        return rises

    def _after(self, request: Request, now: NodeStates, gpu_milli: Ints, column: Ints) -> Floats:
        cpu, memory = now.cpu_milli[column] - request.cpu_milli, now.memory_bytes[column] - request.memory_bytes
        return self._fragmentation.of(NodeStates(cpu, memory, gpu_milli, now.nodes[column]))


class PotentialPolicy:
    """Ours: where the worth of what stays free falls least (recommender.placement.potential); ties to best fit."""

    def __init__(self, cluster: Cluster, potential: Potential) -> None:
        self._cluster, self._potential = cluster, potential
        self._now = self._worth(np.arange(len(cluster)))
        self._share_costs: dict[int, Floats] = {}

    def costs(self, request: Request, nodes: Ints) -> Floats:
        if request.shared:
            used, fresh = self._share_options(request, nodes)
            cost = np.minimum(used, fresh)
        else:
            per_gpu = self._potential.share_worth[GPU_MILLI] - self._potential.share_worth[0]
            cost = request.whole_gpus * per_gpu - self._after(request, nodes, request.whole_gpus)
        return cost + self._now[nodes] + _TIE * fullness(self._cluster, nodes)

    def slots(self, request: Request, node: int) -> list[int]:
        if not request.shared:
            return whole_slots(self._cluster, request, node)
        used, fresh = self._share_options(request, np.array([node]))
        free = self._cluster.gpu_milli[:, node]
        if fresh[0] < used[0]:
            return [int((free == GPU_MILLI).argmax())]
        cost = np.where((free >= 0) & (free < GPU_MILLI), self._share_cost(request)[free], np.inf)
        return [int(cost.argmin())]

    def select(self, costs: Floats) -> int:
        return int(costs.argmin())

    def changed(self, node: int) -> None:
        self._now[node] = self._worth(np.array([node]))[0]

    def _worth(self, nodes: Ints) -> Floats:
        c = self._cluster
        return self._potential.node_worth(
            c.cpu_milli[nodes], c.memory_bytes[nodes], c.gpu_total[nodes], c.gpu_whole[nodes]
        )

    def _after(self, request: Request, nodes: Ints, whole: int) -> Floats:
        """[k] node worth once the request stands there and `whole` GPUs fewer are wholly free."""
        c = self._cluster
        return self._potential.node_worth(
            c.cpu_milli[nodes] - request.cpu_milli,
            c.memory_bytes[nodes] - request.memory_bytes,
            c.gpu_total[nodes] - request.total_gpu_milli,
            c.gpu_whole[nodes] - whole,
        )

    def _share_options(self, request: Request, nodes: Ints) -> tuple[Floats, Floats]:
        """[k] cost on the best GPU in use and on a wholly free one; infinite where there is none."""
        table, free = self._share_cost(request), self._cluster.gpu_milli[:, nodes]
        used = np.where(free == GPU_MILLI, np.inf, table[free]).min(axis=0) - self._after(request, nodes, 0)
        fresh = np.where(self._cluster.gpu_whole[nodes] > 0, table[GPU_MILLI], np.inf)
        return used, fresh - self._after(request, nodes, 1)

    def _share_cost(self, request: Request) -> Floats:
        """[1002]: the last entry, reached by index -1, is for a GPU slot that is not there."""
        size = request.gpu_milli
        if size not in self._share_costs:
            self._share_costs[size] = np.append(self._potential.share_cost(size), np.inf)
        return self._share_costs[size]


def _first_of_equals(gpu_milli: Ints) -> np.ndarray:
    """[g, k] whether no earlier GPU of the node has the same free share."""
    first = np.ones(gpu_milli.shape, dtype=bool)
    for slot in range(1, len(gpu_milli)):
        first[slot] = (gpu_milli[:slot] != gpu_milli[slot]).all(axis=0)
    return first
