"""Fewest GPUs for a set of services or workloads: HiGHS, and greedy when it is out of time or out of GPUs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.hardware.geometry import Layout
from recommender.mig.demand import Demand, GpuKind, Instance, PackedGpu, Packing, Size
from recommender.mig.greedy import greedy
from recommender.mig.solve import Choice, Infeasible, solve


class InvalidDemandError(ValueError):
    """A demand that cannot be packed at all. The message names it, the value and the mend."""


@dataclass(frozen=True, slots=True)
class PackSettings:
    time_limit_s: float = 5.0
    """After it the best found so far stands, or greedy when there is none: 0.05 s is usual, 0.8 s at 110 GPUs."""


def pack(demands: Sequence[Demand], kinds: Sequence[GpuKind], settings: PackSettings | None = None) -> Packing:
    """Instances and layouts that cover every demand at the lowest cost of GPUs.

    A demand that no size can serve is left out and named in `unplaced`. Raises InvalidDemandError for an amount that
    is not positive or a name that stands twice.
    """
    _check(demands)
    hopeless = {demand.name: demand.amount for demand in demands if not _sizes(demand, kinds)}
    packable = [demand for demand in demands if demand.name not in hopeless]
    found = solve(packable, kinds, (settings or PackSettings()).time_limit_s)
    if isinstance(found, Choice):
        return _from_choice(found, packable, kinds, hopeless)
    if isinstance(found, Infeasible):
        return greedy(packable, kinds, hopeless, "the GPUs of the inventory cannot carry all of it: proven")
    return greedy(packable, kinds, hopeless, "time was up before a packing was found")


def _check(demands: Sequence[Demand]) -> None:
    twice = [name for name, n in Counter(demand.name for demand in demands).items() if n > 1]
    if twice:
        raise InvalidDemandError(f"demand name {twice[0]!r} stands twice; names must differ: add the replica number")
    for demand in demands:
        if not demand.amount > 0:
            raise InvalidDemandError(f"demand {demand.name!r} has amount {demand.amount!r}; it must be above 0")


def _sizes(demand: Demand, kinds: Sequence[GpuKind]) -> set[Size]:
    known = {Size(kind.name, profile.key) for kind in kinds for profile in kind.mig.sizes}
    return {size for size, gives in demand.gives.items() if gives > 0} & known


def _from_choice(
    choice: Choice, demands: Sequence[Demand], kinds: Sequence[GpuKind], hopeless: Mapping[str, float]
) -> Packing:
    needed = dict(trimmed(demands, choice.instances, kinds))
    gpus = tuple(gpu for gpu in _fill(choice.layouts, needed, demands) if gpu.instances)
    best = choice.proven and not hopeless
    reasons = [f"no size of these GPUs can serve {name!r}" for name in hopeless]
    if choice.proven:
        reasons.append("proven: no packing of these demands costs less")
    else:
        reasons.append(f"time was up: the best packing found until then; none can cost less than {choice.bound:.4g}")
    return Packing(gpus, dict(hopeless), choice.cost, choice.bound, best, "highs", tuple(reasons))


def trimmed(
    demands: Sequence[Demand], instances: Mapping[tuple[str, Size], int], kinds: Sequence[GpuKind]
) -> Iterator[tuple[tuple[str, Size], int]]:
    """The instances without those that their demand does not need: the solver fills slices for which it pays nothing.

    Largest slices go first, so that the room left over is of most use.
    """
    slices = {Size(k.name, p.key): p.compute_slices for k in kinds for p in k.mig.sizes}
    for demand in demands:
        mine = {size: n for (name, size), n in instances.items() if name == demand.name}
        spare = sum(demand.gives[size] * n for size, n in mine.items()) - demand.amount
        for size in sorted(mine, key=lambda size: (-slices[size], size)):
            drop = min(mine[size], int(spare / demand.gives[size] + 1e-9)) if spare > 0 else 0
            spare -= drop * demand.gives[size]
            yield (demand.name, size), mine[size] - drop


def _fill(
    shapes: Mapping[tuple[str, Layout], int], needed: dict[tuple[str, Size], int], demands: Sequence[Demand]
) -> Iterator[PackedGpu]:
    """Put the instances into the slots of the layouts; a GPU takes one demand's instances as long as it has some."""
    order = [demand.name for demand in demands]
    for (kind, layout), count in shapes.items():
        for _ in range(count):
            yield PackedGpu(kind, tuple(_tenants(kind, layout, needed, order)))


def _tenants(
    kind: str, layout: Layout, needed: dict[tuple[str, Size], int], order: Sequence[str]
) -> Iterator[Instance]:
    for slot in layout:
        size = Size(kind, slot.key)
        tenant = next((name for name in order if needed.get((name, size), 0) > 0), None)
        if tenant is not None:
            needed[tenant, size] -= 1
            yield Instance(slot, tenant)
