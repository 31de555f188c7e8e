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
        fitted = [[aligned(new, now, kind) for now in mine] for new in plan]
        kept = [[_kept(row[j], mine[j].instances) for j in range(len(mine))] for row in fitted]
        rows, columns = linear_sum_assignment(-np.array(kept).reshape(len(plan), len(mine)))
        target.update({mine[j].uuid: fitted[i][j] for i, j in zip(rows, columns, strict=True)})
    return tuple(GpuState(gpu.uuid, gpu.kind, target[gpu.uuid]) for gpu in gpus)


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
