"""The CPU and memory of a container, exactly, and the QoS class that those of all containers make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from models.profile import RESOURCES
from models.quantity import parse_quantity
from recommender.admission.wire import Container, PodSpec, Quantities

Qos = Literal["Guaranteed", "Burstable", "BestEffort"]
Pair = tuple[Decimal, Decimal]
"""CPU in cores and memory in bytes, in the order of models.profile.RESOURCES."""
_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Held:
    """What one container asks for of one resource. 0 stands for none, as it does for Kubernetes."""

    request: Decimal
    limit: Decimal

    @property
    def equal(self) -> bool:
        return self.request == self.limit


HeldPair = tuple[Held, Held]


def held_of(container: Container) -> HeldPair:
    """A limit without a request is the request too, as the API server sets it. Raises QuantityError."""
    resources = container.resources
    requests, limits = (resources.requests, resources.limits) if resources else (None, None)
    cpu, memory = (_held(name, requests, limits) for name in RESOURCES)
    return cpu, memory


def qos_of(containers: Iterable[HeldPair]) -> Qos:
    """Of containers and init containers alike: k8s.io/kubernetes pkg/apis/core/v1/helper/qos `ComputePodQOS`."""
    requests, limits, limited = [_NONE, _NONE], [_NONE, _NONE], True
    for pair in containers:
        for number, held in enumerate(pair):
            requests[number] += held.request
            limits[number] += held.limit
            limited &= held.limit > 0
    if not any(requests) and not any(limits):
        return "BestEffort"
    return "Guaranteed" if limited and requests == limits and all(requests) else "Burstable"


def all_containers(spec: PodSpec) -> Sequence[Container]:
    return [*spec.containers, *(spec.init_containers or ())]


def _held(name: str, requests: Quantities | None, limits: Quantities | None) -> Held:
    limit = _quantity(name, limits)
    request = _quantity(name, requests)
    return Held(limit if request is None and limit is not None else request or _NONE, limit or _NONE)


def _quantity(name: str, quantities: Quantities | None) -> Decimal | None:
    value = quantities.get(name) if quantities else None
    return None if value is None else _parsed(name, value)


@lru_cache(4096)
def _parsed(name: str, value: str | int | float) -> Decimal:
    """Remembered: a fleet has few sizes. What cannot be read is not."""
    return parse_quantity(value, name)
