"""Packing without a solver: the cheapest slices for each demand, largest first onto the first GPU with room.

It is legal and quick but not optimal: fewest slices is not fewest GPUs (3g takes 4 of 8 memory slices), and on the
published inference sets it needs one or two GPUs more than the optimum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from models.hardware.geometry import Layout, Slot, best_start
from recommender.mig.demand import Demand, GpuKind, Instance, PackedGpu, Packing, Size


@dataclass(slots=True)
class _Open:
    """A GPU in the making."""

    kind: GpuKind
    instances: list[Instance] = field(default_factory=list)

    def take(self, key: str, tenant: str) -> bool:
        layout: Layout = tuple(instance.slot for instance in self.instances)
        start = best_start(self.kind.mig, layout, key)
        if start is not None:
            self.instances.append(Instance(Slot(start, key), tenant))
        return start is not None


def greedy(
    demands: Sequence[Demand], kinds: Sequence[GpuKind], hopeless: Mapping[str, float], why: str = ""
) -> Packing:
    """A legal packing within the inventory. What found no room is in `unplaced`."""
    wanted = [(demand, size) for demand in demands for size in _cheapest(demand, kinds)]
    slices = _slices(kinds)
    wanted.sort(key=lambda pair: (-slices[pair[1]], pair[1], pair[0].name))
    gpus: list[_Open] = []
    unplaced = dict(hopeless)
    for demand, size in wanted:
        if not _place(gpus, kinds, size, demand.name):
            unplaced[demand.name] = unplaced.get(demand.name, 0.0) + min(demand.gives[size], demand.amount)
    packed = tuple(PackedGpu(gpu.kind.name, tuple(sorted(gpu.instances))) for gpu in gpus)
    cost = sum(gpu.kind.cost for gpu in gpus)
    reasons = (*(f"no size of these GPUs can serve {name!r}" for name in hopeless), *([why] if why else ()))
    return Packing(packed, unplaced, cost, None, False, "greedy", reasons)


def _place(gpus: list[_Open], kinds: Sequence[GpuKind], size: Size, tenant: str) -> bool:
    """On the first GPU of the kind with room, else on a new one as long as the inventory has one."""
    same = [gpu for gpu in gpus if gpu.kind.name == size.kind]
    if any(gpu.take(size.key, tenant) for gpu in same):
        return True
    kind = next(kind for kind in kinds if kind.name == size.kind)
    if kind.count is not None and len(same) >= kind.count:
        return False
    gpus.append(_Open(kind))
    return gpus[-1].take(size.key, tenant)


def _cheapest(demand: Demand, kinds: Sequence[GpuKind]) -> Iterator[Size]:
    """Sizes that cover the amount: as many as fit of the one with most per slice, then the smallest that ends it."""
    slices = _slices(kinds)
    sizes = [size for size, gives in demand.gives.items() if gives > 0 and size in slices]
    left = demand.amount
    best = max(sizes, key=lambda size: (demand.gives[size] / slices[size], -slices[size], size))
    full = int(left / demand.gives[best] + 1e-9)
    yield from [best] * full
    left -= full * demand.gives[best]
    if left > 1e-9 * demand.amount:
        last = min(sizes, key=lambda size: (slices[size] * ceil(left / demand.gives[size] - 1e-9), size))
        yield from [last] * ceil(left / demand.gives[last] - 1e-9)


def _slices(kinds: Sequence[GpuKind]) -> dict[Size, float]:
    """What a size takes of its GPU, in GPUs, by the larger of its compute and memory shares, times the GPU's cost."""
    return {
        Size(kind.name, p.key): kind.cost * max(kind.mig.compute_share(p), kind.mig.memory_share(p))
        for kind in kinds
        for p in kind.mig.sizes
    }
