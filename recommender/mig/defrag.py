"""Fragmentation: what free slices a layout cannot use, and the fewest live moves that would free a larger slot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.hardware.geometry import MigGpu, Slot, best_start, conflict, free_starts, layouts
from recommender.mig.demand import GpuKind, Instance
from recommender.mig.match import GpuState


@dataclass(frozen=True, slots=True)
class Fragmentation:
    """One GPU. fits: sizes that can be created now. blocked: sizes for which the free slices would be enough, were
    they in one place. stranded_ratio: share of the GPU's compute that is free but in no size that can be created."""

    gpu: str
    fits: tuple[str, ...]
    blocked: tuple[str, ...]
    stranded_ratio: float


@dataclass(frozen=True, slots=True)
class Relocation:
    """Create the tenant at `to` on `to_gpu`, then delete it at `source`."""

    tenant: str
    gpu: str
    source: Slot
    to_gpu: str
    to: Slot


@dataclass(frozen=True, slots=True)
class DefragAdvice:
    """After these moves, in order, `slot` can be created on `gpu`. Empty `moves`: it can be now."""

    gpu: str
    slot: Slot
    moves: tuple[Relocation, ...]
    moved_memory_slices: int


def fragmentation(gpu: GpuState, kind: GpuKind) -> Fragmentation:
    """What still fits on this GPU, and what only fragmentation keeps out."""
    mig = kind.mig
    standing = _occupied(gpu)
    free_compute = mig.compute_slices - sum(mig.profile(s.key).compute_slices for s in standing)
    free_memory = mig.memory_slices - sum(mig.profile(s.key).memory_slices for s in standing)
    enough = [p for p in mig.sizes if p.compute_slices <= free_compute and p.memory_slices <= free_memory]
    fits = [p for p in mig.sizes if free_starts(mig, standing, p.key)]
    blocked = tuple(p.key for p in enough if p not in fits and _could_stand(mig, standing, p.key))
    stranded = free_compute - _usable_compute(mig, standing)
    return Fragmentation(gpu.uuid, tuple(p.key for p in fits), blocked, stranded / mig.compute_slices)


def advise(key: str, gpus: Sequence[GpuState], kinds: Sequence[GpuKind]) -> DefragAdvice | None:
    """The fewest memory slices to move, one tenant at a time, so that one more `key` can be created somewhere.

    Tenants move to slots that are free now, so none ever stops. None: no set of such moves helps.
    """
    by_name = {kind.name: kind for kind in kinds}
    for gpu in gpus:
        start = best_start(by_name[gpu.kind].mig, _occupied(gpu), key)
        if start is not None:
            return DefragAdvice(gpu.uuid, Slot(start, key), (), 0)
    standing = {gpu.uuid: tuple(i for i in gpu.instances if i.tenant) for gpu in gpus}
    found = [
        advice
        for gpu in gpus
        for start in by_name[gpu.kind].mig.profile(key).starts
        if (advice := _clear(Slot(start, key), gpu, gpus, by_name, dict(standing))) is not None
    ]
    return min(found, key=lambda a: (a.moved_memory_slices, len(a.moves), a.gpu, a.slot), default=None)


def _clear(
    slot: Slot,
    gpu: GpuState,
    gpus: Sequence[GpuState],
    kinds: Mapping[str, GpuKind],
    standing: dict[str, tuple[Instance, ...]],
) -> DefragAdvice | None:
    """Moves of all tenants that keep `slot` from being created on `gpu`. `standing` is changed."""
    mig = kinds[gpu.kind].mig
    moves: list[Relocation] = []
    for instance in _in_the_way(mig, slot, standing[gpu.uuid]):
        move = _new_place(instance, slot, gpu, gpus, kinds, standing)
        if move is None:
            return None
        standing[move.to_gpu] = (*standing[move.to_gpu], Instance(move.to, instance.tenant))
        standing[gpu.uuid] = tuple(i for i in standing[gpu.uuid] if i != instance)
        moves.append(move)
    if conflict(mig, [slot, *(i.slot for i in standing[gpu.uuid])]) is not None:
        return None
    moved = sum(mig.profile(move.source.key).memory_slices for move in moves)
    return DefragAdvice(gpu.uuid, slot, tuple(moves), moved)


def _in_the_way(mig: MigGpu, slot: Slot, standing: Sequence[Instance]) -> list[Instance]:
    """Those that overlap the slot, and then, smallest first, those whose compute slices it needs."""
    blocking = [i for i in standing if conflict(mig, [slot, i.slot]) is not None]
    others = sorted((i for i in standing if i not in blocking), key=lambda i: mig.profile(i.slot.key).compute_slices)
    while others and conflict(mig, [slot, *(i.slot for i in others)]) is not None:
        blocking.append(others.pop(0))
    return blocking


def _new_place(
    instance: Instance,
    wanted: Slot,
    gpu: GpuState,
    gpus: Sequence[GpuState],
    kinds: Mapping[str, GpuKind],
    standing: Mapping[str, Sequence[Instance]],
) -> Relocation | None:
    """A slot of equal size that is free while the old one still stands: on the same GPU first, clear of `wanted`."""
    for other in sorted((o for o in gpus if o.kind == gpu.kind), key=lambda o: (o.uuid != gpu.uuid, o.uuid)):
        mig, slots = kinds[other.kind].mig, [i.slot for i in standing[other.uuid]]
        starts = free_starts(mig, slots, instance.slot.key)
        if other.uuid == gpu.uuid:
            starts = tuple(s for s in starts if conflict(mig, [wanted, Slot(s, instance.slot.key)]) is None)
        if starts:
            best = best_start(mig, slots, instance.slot.key)
            start = best if best in starts else starts[-1]
            return Relocation(instance.tenant, gpu.uuid, instance.slot, other.uuid, Slot(start, instance.slot.key))
    return None


def _occupied(gpu: GpuState) -> tuple[Slot, ...]:
    return tuple(instance.slot for instance in gpu.instances if instance.tenant)


def _could_stand(mig: MigGpu, standing: Sequence[Slot], key: str) -> bool:
    """Whether the same sizes and one more `key` can stand together at other starts."""
    wanted = Counter(_plain(slot.key) for slot in standing) + Counter([key])
    return any(not wanted - Counter(slot.key for slot in layout) for layout in layouts(mig))


def _usable_compute(mig: MigGpu, standing: Sequence[Slot], after: int = -1) -> int:
    """Most compute slices that further instances can take beside these; each set is tried once, by rising start."""
    options = [Slot(s, p.key) for p in mig.sizes for s in free_starts(mig, standing, p.key) if s > after]
    taken = (
        mig.profile(slot.key).compute_slices + _usable_compute(mig, [*standing, slot], slot.start) for slot in options
    )
    return max(taken, default=0)


def _plain(key: str) -> str:
    return key.partition("+")[0].partition("-")[0]
