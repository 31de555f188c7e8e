"""A job to place as people know it: what each member asks for, what limits it, and what it can bear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from recommender.placement.request import Request

Bottleneck = Literal["compute", "memory", "io", "latency", "idle", "unknown"]


@dataclass(frozen=True, slots=True)
class Checkpointing:
    """cost_s: time to write one. restart_s: time from an interruption to running again."""

    cost_s: float
    restart_s: float


@dataclass(frozen=True, slots=True)
class GpuDemand:
    """Shares of one GPU that a workload keeps busy: its compute, its memory bandwidth, its host link. None: not known."""

    compute: float | None = None
    bandwidth: float | None = None
    transfer: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """members copies of `request`, all of them or none (1: a single job).

    bottleneck: what limits it. fp64: whether it computes in FP64. compute_demand, bandwidth_demand, transfer_demand: shares of a
    GPU and its host link that it keeps busy (0-1), for interference; None: not known. run_time_s: expected; None: not known.
    checkpointing None: it cannot be interrupted.
    """

    request: Request
    members: int = 1
    bottleneck: Bottleneck = "unknown"
    fp64: bool = False
    compute_demand: float | None = None
    bandwidth_demand: float | None = None
    transfer_demand: float | None = None
    run_time_s: float | None = None
    checkpointing: Checkpointing | None = None


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a scorer needs of a node beyond its free resources; index as in the cluster. None: not known.

    price_usd_per_hour: of the whole node. interruptions_per_hour: of a spot node.
    domains: from wide to narrow, e.g. {"zone": "a", "rack": "a7", "nvlink": "a7-3"}.
    links: kind of link between two GPU slots (models.inventory.GpuLink.kind).
    tenants: GPU slot to the demands of those that run there.
    """

    gpu_model: str = ""
    gpus: int = 0
    price_usd_per_hour: float | None = None
    spot: bool = False
    interruptions_per_hour: float | None = None
    domains: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[tuple[int, int], str] = field(default_factory=dict)
    tenants: Mapping[int, Sequence[GpuDemand]] = field(default_factory=dict)
