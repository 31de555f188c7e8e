"""What is free on every node, as columns: the state that placement reads, and that a placement changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.hardware.discovery import find_gpu
from recommender.placement.request import GPU_MILLI, Bools, Floats, Ints, Request
from recommender.placement.tainted import UNTAINTED, Tainted

GONE = -1
"""Free share of a GPU slot that a node does not have, or whose GPU is cut by MIG: below every request."""
UNWELCOME = 1e6
"""Added to the cost of a node for each taint that bids a pod go elsewhere if it can: over every cost of a policy."""


@dataclass(slots=True)
class Cluster:
    """Free resources of n nodes with at most g GPUs each.

    cpu_milli [n], memory_bytes [n]; gpu_milli [g, n]: free share of each GPU, -1 where there is none.
    gpu_total [n]: free GPU shares together. gpu_whole [n]: GPUs wholly free. model [n]: GPU model of the node.
    mig_free: MIG profile name to free instances [n]. labels, tainted: per node.
    """

    names: Sequence[str]
    cpu_milli: Ints
    memory_bytes: Ints
    gpu_milli: Ints
    model: Sequence[str]
    mig_free: dict[str, Ints] = field(default_factory=dict)
    labels: Sequence[Mapping[str, str]] = ()
    tainted: Tainted = UNTAINTED
    gpu_total: Ints = field(init=False)
    gpu_whole: Ints = field(init=False)
    capacity_milli: int = field(init=False)
    _allowed: dict[tuple[object, ...], Bools] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.gpu_total = np.maximum(self.gpu_milli, 0).sum(axis=0)
        self.gpu_whole = (self.gpu_milli == GPU_MILLI).sum(axis=0)
        self.capacity_milli = int(self.gpu_total.sum())

    def __len__(self) -> int:
        return len(self.names)

    def copy(self) -> Cluster:
        free = {name: counts.copy() for name, counts in self.mig_free.items()}
        columns = (self.cpu_milli.copy(), self.memory_bytes.copy(), self.gpu_milli.copy())
        return Cluster(self.names, *columns, self.model, free, self.labels, self.tainted)

    def subset(self, nodes: Ints) -> Cluster:
        """A copy of these nodes alone."""
        free = {name: counts[nodes] for name, counts in self.mig_free.items()}
        names, model = ([column[n] for n in nodes] for column in (self.names, self.model))
        labels = [self.labels[n] for n in nodes] if self.labels else ()
        columns = (self.cpu_milli[nodes], self.memory_bytes[nodes], self.gpu_milli[:, nodes])
        return Cluster(names, *columns, model, free, labels, self.tainted.take(nodes))

    def matching(self, request: Request) -> Bools:
        """[n] nodes whose GPU model and labels the request accepts. Computed once a kind of request."""
        key = (request.gpu_models, request.labels)
        if key not in self._allowed:
            accepted = {model: _is_one_of(model, request.gpu_models) for model in set(self.model)}
            fits = np.array([accepted[model] for model in self.model], dtype=bool)
            if request.labels:
                fits &= np.array([self._bears(request, n) for n in range(len(self))], dtype=bool)
            self._allowed[key] = fits
        return self._allowed[key]

    def allowed(self, request: Request) -> Bools:
        """[n] those of them whose taints the request tolerates."""
        if not self.tainted.forbids:
            return self.matching(request)
        key = (request.gpu_models, request.labels, request.tolerations)
        if key not in self._allowed:
            self._allowed[key] = self.matching(request) & self.tainted.bearable(request.tolerations)
        return self._allowed[key]

    def unwelcoming(self, request: Request, nodes: Ints) -> Floats:
        """[k] what to add to the cost of each of these nodes: they had rather be without such requests."""
        return np.asarray(UNWELCOME * self.tainted.unwelcome(request.tolerations)[nodes])

    def feasible(self, request: Request, nodes: Ints) -> Bools:
        """[k] which of these nodes have room for the request now."""
        fits = self.cpu_milli[nodes] >= request.cpu_milli
        fits &= self.memory_bytes[nodes] >= request.memory_bytes
        if request.gpu_models or request.labels or self.tainted.forbids:
            fits &= self.allowed(request)[nodes]
        if request.mig_profile:
            none = np.zeros(len(self), dtype=np.int64)
            return fits & (self.mig_free.get(request.mig_profile, none)[nodes] >= request.gpus)
        if request.shared:
            return fits & (self.gpu_milli[:, nodes] >= request.gpu_milli).any(axis=0)
        return fits & (self.gpu_whole[nodes] >= request.gpus) if request.gpus else fits

    def capacity(self, request: Request, nodes: Ints) -> Ints:
        """[k] how many such requests fit on each of these nodes; a request for nothing fits without end (2**62)."""
        room = np.full(len(nodes), 2**62, dtype=np.int64)
        for free, wanted in ((self.cpu_milli, request.cpu_milli), (self.memory_bytes, request.memory_bytes)):
            if wanted:
                room = np.minimum(room, free[nodes] // wanted)
        if request.mig_profile:
            free = self.mig_free.get(request.mig_profile, np.zeros(len(self), dtype=np.int64))
            room = np.minimum(room, free[nodes] // request.gpus)
        elif request.shared:
            room = np.minimum(room, (np.maximum(self.gpu_milli[:, nodes], 0) // request.gpu_milli).sum(axis=0))
        elif request.gpus:
            room = np.minimum(room, self.gpu_whole[nodes] // request.gpus)
        return np.where(self.feasible(request, nodes), room, 0)

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

    def _bears(self, request: Request, node: int) -> bool:
        labels = self.labels[node] if self.labels else {}
        return all(labels.get(key) == value for key, value in request.labels)


def _is_one_of(model: str, wanted: Sequence[str]) -> bool:
    """A model is called as NVML says, and as models.hardware does; no wish: any will do."""
    known = find_gpu(model)
    return not wanted or bool({model, known.name if known else model}.intersection(wanted))
