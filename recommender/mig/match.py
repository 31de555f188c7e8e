"""Which GPU of today becomes which GPU of the plan: as many instances as can be stay where they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.hardware.geometry import Slot, conflict
from recommender.mig.demand import GpuKind, Instance, PackedGpu, Packing


@dataclass(frozen=True, slots=True)
class GpuState:
    """A GPU of the inventory and the instances that stand on it now."""

    uuid: str
    kind: str
    instances: tuple[Instance, ...] = ()


_IN_THE_WAY = 1e-5
"""Of one kept instance: 7 tenants on each of 10,000 GPUs together weigh less than it."""


class TooFewGpusError(ValueError):
    """A packing needs more GPUs than the inventory has. The message says how many of which kind."""


def match(packing: Packing, gpus: Sequence[GpuState], kinds: Sequence[GpuKind]) -> tuple[GpuState, ...]:
    """The packing on real GPUs: one state per GPU of `gpus`, in their order; those not needed end empty.

    Slots of a planned GPU are turned to those of today where both hold the same sizes. Raises TooFewGpusError.
    """
    target: dict[str, tuple[Instance, ...]] = {gpu.uuid: () for gpu in gpus}
    for kind in kinds:
        mine = [gpu for gpu in gpus if gpu.kind == kind.name]
        plan = [gpu for gpu in packing.gpus if gpu.kind == kind.name]
        if len(plan) > len(mine):
            raise TooFewGpusError(f"{len(plan)} GPUs of kind {kind.name!r} are planned; the inventory has {len(mine)}")
        target.update(_matched(plan, mine, kind))
    return tuple(GpuState(gpu.uuid, gpu.kind, target[gpu.uuid]) for gpu in gpus)


def _matched(plan: Sequence[PackedGpu], mine: Sequence[GpuState], kind: GpuKind) -> dict[str, tuple[Instance, ...]]:
    """GPU uuid to planned instances, with most instances kept, and among those ways with fewest tenants in the way. Only
    pairs that share a tenant are looked at."""
    homes: dict[str, set[int]] = {}
    for j, gpu in enumerate(mine):
        for instance in gpu.instances:
            homes.setdefault(instance.tenant, set()).add(j)
    fitted: dict[tuple[int, int], tuple[Instance, ...]] = {}
    standing = np.array([sum(1 for instance in gpu.instances if instance.tenant) for gpu in mine])
    kept = np.tile(-_IN_THE_WAY * standing, (len(plan), 1))
    for i, new in enumerate(plan):
        for j in set().union(*(homes.get(instance.tenant, set()) for instance in new.instances)):
            fitted[i, j] = aligned(new, mine[j], kind)
            kept[i, j] += (1 + _IN_THE_WAY) * _kept(fitted[i, j], mine[j].instances)
    pairs = zip(*linear_sum_assignment(-kept), strict=True)
    return {mine[j].uuid: fitted.get((i, j), plan[i].instances) for i, j in pairs}


def aligned(plan: PackedGpu, now: GpuState, kind: GpuKind) -> tuple[Instance, ...]:
    """The planned instances of one GPU, those that stand today on today's slots if the rest still fits around them."""
    wanted = Counter((i.slot.key, i.tenant) for i in plan.instances)
    keep = []
    for instance in now.instances:
        if instance.tenant and wanted[instance.slot.key, instance.tenant] > 0:
            wanted[instance.slot.key, instance.tenant] -= 1
            keep.append(instance)
    rest = _around(keep, list(wanted.elements()), kind)
    return plan.instances if rest is None else tuple(sorted([*keep, *rest]))


def _around(keep: list[Instance], rest: list[tuple[str, str]], kind: GpuKind) -> list[Instance] | None:
    """Starts for the rest beside what is kept, largest first, by search; None when there are none."""
    if not rest:
        return []
    rest = sorted(rest, key=lambda item: (-kind.mig.profile(item[0]).memory_slices, item))
    (key, tenant), others = rest[0], rest[1:]
    for start in kind.mig.profile(key).starts:
        placed = Instance(Slot(start, key), tenant)
        if conflict(kind.mig, [i.slot for i in (*keep, placed)]) is None:
            further = _around([*keep, placed], others, kind)
            if further is not None:
                return [placed, *further]
    return None


def _kept(new: tuple[Instance, ...], now: tuple[Instance, ...]) -> int:
    return sum(instance in now for instance in new if instance.tenant)
