"""GPUs of the inventory as packing sees them: kinds, and the instances that stand on each with their tenants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from models.hardware.discovery import InvalidProfileError, find_gpu, mig_of
from models.hardware.geometry import MigGpu, Slot, UnknownProfileError, conflict
from models.inventory import Gpu, Node
from recommender.mig.demand import Demand, GpuKind, Instance, Size
from recommender.mig.match import GpuState


@dataclass(frozen=True, slots=True)
class Left:
    """A GPU that packing must not touch, and why."""

    gpu: str
    node: str
    reason: str


@dataclass(slots=True)
class Present:
    """gpus: what may be packed onto. kinds: their geometries. node_of: uuid to `cluster/node`. left: the others.
    mig_off: GPUs on which MIG has to be turned on first."""

    gpus: list[GpuState] = field(default_factory=list)
    kinds: list[GpuKind] = field(default_factory=list)
    node_of: dict[str, str] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    mig_off: set[str] = field(default_factory=set)

    def kind_of(self, name: str, mig: MigGpu) -> GpuKind:
        """The kind of this model and geometry; two drivers may cut one model differently, then there are two kinds."""
        alike = [kind for kind in self.kinds if kind.name.partition(" #")[0] == name]
        for kind in alike:
            if kind.mig == mig:
                return kind
        self.kinds.append(GpuKind(f"{name} #{len(alike) + 1}" if alike else name, mig))
        return self.kinds[-1]


def present(nodes: Iterable[Node], movable: Collection[str] = ()) -> Present:
    """Every GPU that MIG can cut. One that somebody has as a whole, or whose layout is not known, is left alone.

    movable: workloads that may leave a GPU that one instance of theirs has as a whole; it then stands there as on a slice
    of all of it.
    """
    found = Present()
    for node in nodes:
        name = f"{node.cluster}/{node.name}"
        tenants = {uuid: a.workload for a in node.allocations for uuid in a.gpu_uuids}
        holders = Counter(uuid for a in node.allocations for uuid in set(a.gpu_uuids))
        alone = {uuid for uuid, workload in tenants.items() if workload in movable and holders[uuid] == 1}
        for gpu in node.gpus:
            reason = _add(found, gpu, name, tenants, alone)
            if reason:
                found.left.append(Left(gpu.uuid, name, reason))
    return found


def _add(found: Present, gpu: Gpu, node: str, tenants: Mapping[str, str], alone: Collection[str]) -> str:
    """Why the GPU is left out; empty when it was added."""
    try:
        mig = mig_of(gpu.model, gpu.pci_device_id, gpu.mig_profiles)
    except InvalidProfileError as error:
        return str(error)
    if mig is None:
        return "MIG cannot cut it, or its profiles are not known"
    if gpu.uuid in alone and not gpu.mig_enabled:
        return _state(found, gpu, mig, node, [(Slot(mig.whole.starts[0], mig.whole.key), tenants[gpu.uuid])])
    if gpu.uuid in tenants:
        return "it is in use as a whole GPU"
    if any(instance.start is None for instance in gpu.mig):
        return "where its instances start is not known: only root is told, run the collector as root there"
    try:
        standing = [(Slot(m.start or 0, mig.profile(m.profile).key), tenants.get(m.uuid, "")) for m in gpu.mig]
    except UnknownProfileError as error:
        return str(error)
    return _state(found, gpu, mig, node, standing)


def _state(found: Present, gpu: Gpu, mig: MigGpu, node: str, standing: Sequence[tuple[Slot, str]]) -> str:
    if (broken := conflict(mig, [slot for slot, _ in standing])) is not None:
        return f"its instances as reported cannot stand together: {broken}"
    special = next((slot.key for slot, tenant in standing if tenant and not mig.profile(slot.key).plain), None)
    if special is not None:
        return f"a {special} on it is in use, which packing does not move"
    model = find_gpu(gpu.model, gpu.pci_device_id)
    kind = found.kind_of(model.name if model else gpu.model, mig)
    found.gpus.append(GpuState(gpu.uuid, kind.name, tuple(Instance(slot, tenant) for slot, tenant in standing)))
    found.node_of[gpu.uuid] = node
    if not gpu.mig_enabled:
        found.mig_off.add(gpu.uuid)
    return ""


@dataclass(frozen=True, slots=True)
class Staying:
    """gpus: as of today, with tenants called as the demands are. demands: one for every tenant that stays.
    shown: name of a demand to that of its tenant, where they differ."""

    gpus: tuple[GpuState, ...]
    demands: tuple[Demand, ...]
    shown: Mapping[str, str]


def staying(gpus: Sequence[GpuState], named: Iterable[str]) -> Staying:
    """Every tenant of today that is not named keeps as many slices of its size as it has, here or elsewhere.

    One with slices of several sizes becomes one demand per size, as one size does not stand for another.
    """
    known, sizes = set(named), dict[str, Counter[Size]]()
    for gpu in gpus:
        for instance in gpu.instances:
            if instance.tenant and instance.tenant not in known:
                sizes.setdefault(instance.tenant, Counter())[Size(gpu.kind, instance.slot.key)] += 1
    called = {
        (tenant, size): tenant if len(counts) == 1 else f"{tenant} on {size.key} of {size.kind}"
        for tenant, counts in sizes.items()
        for size in counts
    }
    demands = tuple(
        Demand(called[t, size], n, {size: 1.0}) for t, counts in sizes.items() for size, n in counts.items()
    )
    states = tuple(replace(gpu, instances=tuple(_called(i, gpu.kind, called) for i in gpu.instances)) for gpu in gpus)
    return Staying(states, demands, {name: tenant for (tenant, _), name in called.items()})


def _called(instance: Instance, kind: str, called: Mapping[tuple[str, Size], str]) -> Instance:
    name = called.get((instance.tenant, Size(kind, instance.slot.key)), instance.tenant)
    return Instance(instance.slot, name)
