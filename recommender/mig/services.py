"""Inference services on MIG: measured points of size, batch and processes, cut down to what keeps the latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recommender.mig.demand import Demand, Size


@dataclass(frozen=True, slots=True)
class ServicePoint:
    """One measurement: an instance of `size` running `processes` copies with this batch.

    requests_per_s: of the whole instance, all processes together. latency_s: of one batch.
    """

    size: Size
    batch: int
    processes: int
    requests_per_s: float
    latency_s: float


@dataclass(frozen=True, slots=True)
class ServiceTarget:
    name: str
    requests_per_s: float
    latency_limit_s: float


@dataclass(frozen=True, slots=True)
class ServicePolicy:
    latency_share: float = 0.5
    """Share of the latency limit that the batch itself may take. A request waits at most about one batch before its
    own begins, so half of the limit keeps the limit; measured deployments never use more than 0.445."""
    rate_headroom: float = 0.0
    """Share added to the rate. 5 % costs one GPU in 13 on the published sets."""


@dataclass(frozen=True, slots=True)
class SizedService:
    """demand: for packing. points: the chosen batch and processes per size. reason: why nothing fits, else empty."""

    demand: Demand
    points: Mapping[Size, ServicePoint]
    reason: str = ""


def size_service(target: ServiceTarget, points: Sequence[ServicePoint], policy: ServicePolicy) -> SizedService:
    """For every size the point with most requests/s within the latency; ties to fewer processes, then smaller batch.

    What an instance costs depends on its size only, so no other point of that size can be better.
    """
    allowed_s = target.latency_limit_s * policy.latency_share
    best: dict[Size, ServicePoint] = {}
    for point in points:
        if point.requests_per_s > 0 and point.latency_s <= allowed_s:
            best[point.size] = max(best.get(point.size, point), point, key=_worth)
    amount = target.requests_per_s * (1 + policy.rate_headroom)
    demand = Demand(target.name, amount, {size: point.requests_per_s for size, point in best.items()})
    return SizedService(demand, best, "" if best else _why_none(target, points, allowed_s))


def _worth(point: ServicePoint) -> tuple[float, int, int]:
    return point.requests_per_s, -point.processes, -point.batch


def _why_none(target: ServiceTarget, points: Sequence[ServicePoint], allowed_s: float) -> str:
    fastest = min((point.latency_s for point in points if point.requests_per_s > 0), default=None)
    if fastest is None:
        return f"{target.name}: no measured point; measure at least one size with one batch"
    return (
        f"{target.name}: the fastest measured point takes {fastest:.3g} s; {allowed_s:.3g} s are allowed: "
        "raise the latency limit or measure a smaller batch on a larger slice"
    )
