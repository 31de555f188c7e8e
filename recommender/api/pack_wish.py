"""A question to POST /v1/pack in the words of packing: demands, kinds of GPUs, GPUs. Wrong ones name field and mend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.hardware.discovery import find_gpu
from models.hardware.geometry import MigGpu, Slot, UnknownProfileError, conflict
from models.hardware.gpus import GPU_MODELS
from recommender.api.pack_body import GivenGpu, GivenKind, PackRequest, PackService, PackWorkload
from recommender.api.pack_seen import SizedWorkload
from recommender.mig.demand import Demand, GpuKind, Instance, Size
from recommender.mig.match import GpuState
from recommender.mig.present import Present
from recommender.mig.services import ServicePoint, ServicePolicy, ServiceTarget, SizedService, size_service
from recommender.view_query import QueryError


@dataclass(frozen=True, slots=True)
class Wishes:
    """demands: for packing. points: (service, size) to its batch and processes. why: demand to why no size serves it."""

    demands: tuple[Demand, ...]
    points: Mapping[tuple[str, Size], ServicePoint]
    why: Mapping[str, str]


def wishes(asked: PackRequest, kinds: Sequence[GpuKind], sized: Sequence[SizedWorkload] = ()) -> Wishes:
    """sized: workloads by their profiles. Raises QueryError for a name that stands twice or a size that none of the kinds
    has."""
    profiled = {one.name: one for one in sized if one.keys}
    explicit = [(n, wish) for n, wish in enumerate(asked.workloads) if wish.name not in profiled]
    names = Counter([w.name for w in asked.workloads] + [s.name for s in asked.services])
    if twice := [name for name, count in names.items() if count > 1]:
        raise QueryError("name", twice[0], "names of workloads and services must differ")
    demands = [one.demand(kinds) for one in profiled.values()]
    elsewhere = {d.name: _elsewhere(profiled[d.name]) for d in demands if not d.gives}
    demands += [_workload(wish, f"workloads[{n}]", kinds) for n, wish in explicit]
    policy = ServicePolicy(asked.latency_share_ratio, asked.rate_headroom_ratio)
    services = [_service(wish, f"services[{n}]", kinds, policy) for n, wish in enumerate(asked.services)]
    return Wishes(
        (*demands, *(service.demand for service in services)),
        {(service.demand.name, size): point for service in services for size, point in service.points.items()},
        elsewhere | {service.demand.name: service.reason for service in services if service.reason},
    )


def _elsewhere(one: SizedWorkload) -> str:
    return f"it was seen on {one.model or 'an unknown GPU'} alone, and none of these GPUs is one: name its mig_profiles"


def given_kinds(given: Sequence[GivenKind]) -> list[GpuKind]:
    names = [find_name(kind.model, f"kinds[{n}].model") for n, kind in enumerate(given)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise QueryError("kinds", twice[0], "a model stands once: add its counts up")
    return [GpuKind(name, _mig(name), kind.count, kind.cost) for name, kind in zip(names, given, strict=True)]


def given_gpus(given: Sequence[GivenGpu]) -> Present:
    found = Present()
    if twice := [uuid for uuid, count in Counter(gpu.uuid for gpu in given).items() if count > 1]:
        raise QueryError("gpus", twice[0], "a GPU stands once, with all its instances")
    for n, gpu in enumerate(given):
        name = find_name(gpu.model, f"gpus[{n}].model")
        kind = found.kind_of(name, _mig(name))
        found.gpus.append(GpuState(gpu.uuid, kind.name, _instances(gpu, kind.mig, f"gpus[{n}].instances")))
    return found


def room_key(size: str, kinds: Sequence[GpuKind]) -> tuple[str, set[str]]:
    """(key, names of the kinds that have it) for a size by its short or NVML's name."""
    keys = {
        kind.name: profile.key for kind in kinds for profile in kind.mig.sizes if size in (profile.key, profile.name)
    }
    if not keys:
        raise QueryError("make_room_for", size, _sizes_of(kinds))
    key = next(iter(keys.values()))
    return key, {name for name, other in keys.items() if other == key}


def find_name(model: str, field: str) -> str:
    """The catalogue's name of a GPU that MIG can cut. Raises QueryError."""
    known = find_gpu(model)
    if known is None or known.mig is None:
        able = ", ".join(gpu.name for gpu in GPU_MODELS if gpu.mig is not None)
        raise QueryError(field, model, f"MIG is not known for this model; it is for {able}")
    return known.name


def _mig(name: str) -> MigGpu:
    known = find_gpu(name)
    if known is None or known.mig is None:
        raise QueryError("model", name, "MIG is not known for this model")
    return known.mig


def _instances(gpu: GivenGpu, mig: MigGpu, field: str) -> tuple[Instance, ...]:
    try:
        found = tuple(Instance(Slot(i.start, mig.profile(i.mig_profile).key), i.tenant) for i in gpu.instances)
    except UnknownProfileError as error:
        raise QueryError(field, [i.mig_profile for i in gpu.instances], str(error)) from error
    if (broken := conflict(mig, [i.slot for i in found])) is not None:
        raise QueryError(
            field, [f"{i.slot.key}@{i.slot.start}" for i in found], f"these cannot stand together: {broken}"
        )
    return found


def _workload(wish: PackWorkload, field: str, kinds: Sequence[GpuKind]) -> Demand:
    sizes = (
        _named(wish.mig_profiles, f"{field}.mig_profiles", kinds) if wish.mig_profiles else _large_enough(wish, kinds)
    )
    return Demand(wish.name, wish.replicas or 1, dict.fromkeys(sizes, 1.0))


def _named(names: Sequence[str], field: str, kinds: Sequence[GpuKind]) -> Iterator[Size]:
    for name in names:
        found = [Size(k.name, p.key) for k in kinds for p in k.mig.sizes if name in (p.key, p.name)]
        if kinds and not found:
            raise QueryError(field, name, _sizes_of(kinds))
        yield from found


def _large_enough(wish: PackWorkload, kinds: Sequence[GpuKind]) -> Iterator[Size]:
    """A size whose usable memory no source tells is not taken for large enough."""
    for kind in kinds:
        for profile in kind.mig.sizes:
            holds = profile.memory_bytes is not None and profile.memory_bytes >= (wish.memory_bytes or 0)
            if holds and kind.mig.compute_share(profile) >= wish.compute_share_ratio:
                yield Size(kind.name, profile.key)


def _service(wish: PackService, field: str, kinds: Sequence[GpuKind], policy: ServicePolicy) -> SizedService:
    points = [
        ServicePoint(size, p.batch, p.processes, p.requests_per_s, p.latency_s)
        for n, p in enumerate(wish.points)
        for size in _named([p.mig_profile], f"{field}.points[{n}].mig_profile", _measured_on(p.model, kinds))
    ]
    return size_service(ServiceTarget(wish.name, wish.requests_per_s, wish.latency_limit_s), points, policy)


def _measured_on(model: str | None, kinds: Sequence[GpuKind]) -> Sequence[GpuKind]:
    if model is None:
        return kinds
    known = find_gpu(model)
    name = known.name if known else model
    return [kind for kind in kinds if kind.name.partition(" #")[0] == name]


def _sizes_of(kinds: Sequence[GpuKind]) -> str:
    said = "; ".join(f"{kind.name}: {', '.join(profile.name for profile in kind.mig.sizes)}" for kind in kinds)
    return f"none of the GPUs has this size; there are {said}" if said else "none of the GPUs can be cut by MIG"
