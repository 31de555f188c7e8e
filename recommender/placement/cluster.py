"""What is free on every node, as columns: the state that placement reads, and that a placement changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.hardware.discovery import find_gpu
from models.inventory import Node
from recommender.placement.request import GPU_MILLI, Bools, Ints, Request

_GONE = -1
"""Free share of a GPU slot that a node does not have, or whose GPU is cut by MIG: below every request."""


@dataclass(slots=True)
class Cluster:
    """Free resources of n nodes with at most g GPUs each.

    cpu_milli [n], memory_bytes [n]; gpu_milli [g, n]: free share of each GPU, -1 where there is none.
    gpu_total [n]: free GPU shares together. gpu_whole [n]: GPUs wholly free. model [n]: GPU model of the node.
    mig_free: MIG profile name to free instances [n]. labels: per node.
    """

    names: Sequence[str]
    cpu_milli: Ints
    memory_bytes: Ints
    gpu_milli: Ints
    model: Sequence[str]
    mig_free: dict[str, Ints] = field(default_factory=dict)
    labels: Sequence[Mapping[str, str]] = ()
    gpu_total: Ints = field(init=False)
    gpu_whole: Ints = field(init=False)
    capacity_milli: int = field(init=False)
    _allowed: dict[tuple[object, object], Bools] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.gpu_total = np.maximum(self.gpu_milli, 0).sum(axis=0)
        self.gpu_whole = (self.gpu_milli == GPU_MILLI).sum(axis=0)
        self.capacity_milli = int(self.gpu_total.sum())

    def __len__(self) -> int:
        return len(self.names)

    def copy(self) -> Cluster:
        free = {name: counts.copy() for name, counts in self.mig_free.items()}
        columns = (self.cpu_milli.copy(), self.memory_bytes.copy(), self.gpu_milli.copy())
        return Cluster(self.names, *columns, self.model, free, self.labels)

    def allowed(self, request: Request) -> Bools:
        """[n] nodes whose GPU model and labels the request accepts. Computed once a kind of request."""
        key = (request.gpu_models, request.labels)
        if key not in self._allowed:
            self._allowed[key] = np.array([self._accepts(request, n) for n in range(len(self))], dtype=bool)
        return self._allowed[key]

    def feasible(self, request: Request, nodes: Ints) -> Bools:
        """[k] which of these nodes have room for the request now."""
        fits = self.cpu_milli[nodes] >= request.cpu_milli
        fits &= self.memory_bytes[nodes] >= request.memory_bytes
        if request.gpu_models or request.labels:
            fits &= self.allowed(request)[nodes]
        if request.mig_profile:
            none = np.zeros(len(self), dtype=np.int64)
            return fits & (self.mig_free.get(request.mig_profile, none)[nodes] >= request.gpus)
        if request.shared:
            return fits & (self.gpu_milli[:, nodes] >= request.gpu_milli).any(axis=0)
        return fits & (self.gpu_whole[nodes] >= request.gpus) if request.gpus else fits

    def take(self, node: int, request: Request, slots: Sequence[int]) -> None:
        """Give the request room on `node`, on these GPU slots. Raises ValueError when it does not fit there."""
        self._check(node, request, slots)
        self._change(node, request, slots, -1)

    def give_back(self, node: int, request: Request, slots: Sequence[int]) -> None:
        """Undo `take`."""
        self._change(node, request, slots, 1)

    def _change(self, node: int, request: Request, slots: Sequence[int], sign: int) -> None:
        self.cpu_milli[node] += sign * request.cpu_milli
        self.memory_bytes[node] += sign * request.memory_bytes
        if request.mig_profile:
            self.mig_free[request.mig_profile][node] += sign * request.gpus
            return
        for slot in slots:
            before = self.gpu_milli[slot, node]
            after = before + sign * request.gpu_milli
            self.gpu_milli[slot, node] = after
            self.gpu_whole[node] += int(after == GPU_MILLI) - int(before == GPU_MILLI)
        self.gpu_total[node] += sign * request.total_gpu_milli

    def _check(self, node: int, request: Request, slots: Sequence[int]) -> None:
        fits = bool(self.feasible(request, np.array([node]))[0])
        wanted = 0 if request.mig_profile else request.gpus
        enough = all(self.gpu_milli[slot, node] >= request.gpu_milli for slot in slots)
        if not fits or len(set(slots)) != wanted or not enough:
            raise ValueError(f"{request} does not fit on node {self.names[node]!r} at GPU slots {list(slots)}")

    def _accepts(self, request: Request, node: int) -> bool:
        if request.gpu_models and not self._names(node) & set(request.gpu_models):
            return False
        labels = self.labels[node] if self.labels else {}
        return all(labels.get(key) == value for key, value in request.labels)

    def _names(self, node: int) -> set[str]:
        """What the GPU model of the node is called: as NVML says, and as models.hardware does."""
        known = find_gpu(self.model[node])
        return {self.model[node], known.name} if known else {self.model[node]}


def from_inventory(nodes: Sequence[Node]) -> Cluster:
    """Free resources as the newest inventory says: what allocations hold is taken off.

    An allocation that names no CPU or memory holds none that is known; a GPU that any allocation names is taken whole.
    GPUs cut by MIG offer their instances that no allocation names.
    """
    deepest = max((len(node.gpus) for node in nodes), default=0)
    gpu = np.full((max(deepest, 1), len(nodes)), _GONE, dtype=np.int64)
    profiles = sorted({m.profile for node in nodes for g in node.gpus for m in g.mig})
    mig = {profile: np.zeros(len(nodes), dtype=np.int64) for profile in profiles}
    for n, node in enumerate(nodes):
        taken = {uuid for allocation in node.allocations for uuid in allocation.gpu_uuids}
        for slot, device in enumerate(node.gpus):
            if not device.mig_enabled:
                gpu[slot, n] = 0 if device.uuid in taken else GPU_MILLI
            for instance in device.mig:
                mig[instance.profile][n] += instance.uuid not in taken
    return Cluster(
        names=[node.name for node in nodes],
        cpu_milli=np.array(
            [_left(1000 * x.cpu_cores, [1000 * (a.cpu_cores or 0) for a in x.allocations]) for x in nodes]
        ),
        memory_bytes=np.array([_left(x.memory_bytes, [a.memory_bytes or 0 for a in x.allocations]) for x in nodes]),
        gpu_milli=gpu,
        model=[node.gpus[0].model if node.gpus else "" for node in nodes],
        mig_free=mig,
        labels=[node.labels for node in nodes],
    )


def _left(total: float, held: Sequence[float]) -> int:
    return max(int(total - sum(held)), 0)
