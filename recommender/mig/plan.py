"""The whole answer to "which GPUs carry this": packing, layout per GPU, moves to it, and what fragmentation is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from recommender.mig.defrag import Fragmentation, fragmentation
from recommender.mig.demand import Demand, GpuKind, Packing
from recommender.mig.match import GpuState, match
from recommender.mig.moves import Moves, plan_moves
from recommender.mig.pack import PackSettings, pack


@dataclass(frozen=True, slots=True)
class MigPlan:
    """packing: fewest GPUs. layout: every GPU of the inventory as it shall be, in the order given. moves: from now to
    there. fragmentation: per GPU of the layout that is in use."""

    packing: Packing
    layout: tuple[GpuState, ...]
    moves: Moves
    fragmentation: tuple[Fragmentation, ...]


def plan(
    demands: Sequence[Demand], gpus: Sequence[GpuState], kinds: Sequence[GpuKind], settings: PackSettings | None = None
) -> MigPlan:
    """Pack onto the GPUs that there are. Tenants of today that no demand names are taken for ended and are deleted.

    Raises InvalidDemandError.
    """
    counted = [replace(kind, count=sum(gpu.kind == kind.name for gpu in gpus)) for kind in kinds]
    packing = pack(demands, counted, settings)
    homeless = sorted({i.tenant for gpu in gpus for i in gpu.instances if i.tenant} & set(packing.unplaced))
    layout = tuple(gpus) if homeless else match(packing, gpus, counted)
    alike = {demand.name for demand in demands if len(set(demand.gives.values())) == 1}
    moves = _stay(homeless) if homeless else plan_moves(gpus, layout, counted, alike)
    by_name = {kind.name: kind for kind in counted}
    left = tuple(fragmentation(gpu, by_name[gpu.kind]) for gpu in layout if gpu.instances)
    return MigPlan(packing, layout, moves, left)


def _stay(homeless: Sequence[str]) -> Moves:
    names = ", ".join(homeless)
    return Moves((), (), f"the packing found has no room for {names}, which run now: everything stays where it is")
