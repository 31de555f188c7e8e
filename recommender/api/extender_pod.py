"""A pod as a scheduler extender gets it: what it asks for as a whole, and which workloads its containers are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from models.quantity import QuantityError, milli, parse_quantity, whole
from models.taints import EQUAL, Toleration
from models.workload import WorkloadName
from recommender.admission.facts import NoFacts
from recommender.admission.who import owners_of
from recommender.admission.wire import Container, Pod, Quantities, Wire
from recommender.mig.dialects import WHOLE_GPU, mig_profile_of
from recommender.view_query import QueryError

_NONE = Decimal(0)
Amounts = Mapping[str, Decimal]
"""By resource name."""
_MOST_GPUS = 64
_MOST = 1 << 50
"""Millicores and bytes: more than any node has, and far from the end of 64 bits."""


@dataclass(frozen=True, slots=True)
class PodAsks:
    """What one pod takes of a node. gpus: whole GPUs, or slices of `mig_profile` where that is not empty. tolerations: taints
    of it that the pod bears."""

    cpu_cores: float
    memory_bytes: int
    gpus: int
    mig_profile: str
    tolerations: tuple[Toleration, ...] = ()


class _Toleration(Wire):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""


_TOLERATIONS = msgspec.json.Decoder(list[_Toleration] | None)


def asks_of(pod: Pod) -> PodAsks:
    """As the scheduler counts it. Raises QueryError for a quantity that is none, or more GPUs than a node can have."""
    total = _total(pod)
    slices = [(found, whole(count)) for name, count in total.items() if (found := mig_profile_of(name)) and count]
    profile, gpus = slices[0] if slices else ("", whole(total.get(WHOLE_GPU, _NONE)))
    if not 0 <= gpus <= _MOST_GPUS:
        raise QueryError("Pod.spec.containers", gpus, f"a node has at most {_MOST_GPUS} GPUs or slices for one pod")
    cpu_milli, memory = milli(total.get("cpu", _NONE)), whole(total.get("memory", _NONE))
    cpu_cores, memory_bytes = min(max(cpu_milli, 0), _MOST) / 1000, min(max(memory, 0), _MOST)
    return PodAsks(cpu_cores, memory_bytes, gpus, profile, _tolerations(pod))


def workloads_of(pod: Pod, cluster: str) -> list[str]:
    """Ids under which its containers may be known, likeliest first."""
    namespace = pod.metadata.namespace or "default"
    owners, containers = owners_of(pod.metadata, namespace, NoFacts()), _gpu_first(pod.spec.containers)
    return [
        str(WorkloadName(cluster, namespace, owner.kind, owner.name, container.name))
        for owner in owners
        for container in containers
    ]


def _tolerations(pod: Pod) -> tuple[Toleration, ...]:
    try:
        told = _TOLERATIONS.decode(pod.spec.tolerations) or ()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise QueryError("Pod.spec.tolerations", None, f"it cannot be read: {error}") from error
    return tuple(sorted({Toleration(one.key, one.operator or EQUAL, one.value, one.effect) for one in told}))


def _total(pod: Pod) -> Amounts:
    """Containers and sidecars together, or an init container with the sidecars before it where that is more
    (k8s.io/component-helpers resource `PodRequests`); RuntimeClass overhead is left out."""
    beside: Amounts = {}
    for n, container in enumerate(pod.spec.containers):
        beside = _sum(beside, _requests(container, f"containers[{n}]"))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for n, container in enumerate(pod.spec.init_containers or ()):
        alone = _sum(sidecars, _requests(container, f"initContainers[{n}]"))
        if container.restart_policy == "Always":
            sidecars = alone
        peak = _most(peak, alone)
    return _most(_sum(beside, sidecars), peak)


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return {name: one.get(name, _NONE) + other.get(name, _NONE) for name in {**one, **other}}


def _most(one: Amounts, other: Amounts) -> Amounts:
    return {name: max(one.get(name, _NONE), other.get(name, _NONE)) for name in {**one, **other}}


def _requests(container: Container, where: str) -> Amounts:
    """A limit without a request is the request too, as the API server sets it."""
    resources = container.resources
    named: Iterable[Quantities | None] = (resources.limits, resources.requests) if resources else ()
    found: dict[str, Decimal] = {}
    for quantities in named:
        for name, value in (quantities or {}).items():
            try:
                found[name] = parse_quantity(value, f"Pod.spec.{where}.resources.{name}")
            except QuantityError as error:
                raise QueryError(error.field, error.value, error.mend) from error
    return found


def _gpu_first(containers: Iterable[Container]) -> list[Container]:
    """The container that has the GPU is the one that placement is about."""
    return sorted(containers, key=lambda container: not _has_gpu(container))


def _has_gpu(container: Container) -> bool:
    limits = container.resources.limits if container.resources else None
    return any(name == WHOLE_GPU or mig_profile_of(name) for name in limits or ())
