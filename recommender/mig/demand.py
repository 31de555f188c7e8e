"""What has to be placed on MIG slices, and on which GPUs it may go: the words that packing speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.hardware.geometry import Layout, MigGpu, Slot


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """A profile of one kind of GPU: (`A100-80`, `3g`)."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class GpuKind:
    """GPUs that are alike. count: how many there are; None: as many as it takes. cost: what one counts for."""

    name: str
    mig: MigGpu
    count: int | None = None
    cost: float = 1.0


@dataclass(frozen=True, slots=True)
class Demand:
    """`amount` is covered by instances, each of which gives `gives[size]` of it.

    A service: amount is its rate in requests/s, `gives` the rate of one instance that keeps the latency.
    A workload: amount is its number of replicas, `gives` is 1 for each size that is large enough.
    """

    name: str
    amount: float
    gives: Mapping[Size, float]


@dataclass(frozen=True, slots=True, order=True)
class Instance:
    """One slot with its tenant; `tenant` empty: free."""

    slot: Slot
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class PackedGpu:
    kind: str
    instances: tuple[Instance, ...]

    @property
    def layout(self) -> Layout:
        return tuple(instance.slot for instance in self.instances)


@dataclass(frozen=True, slots=True)
class Packing:
    """gpus:     those in use, with their instances
    unplaced: demand name: amount that found no room
    cost:     sum of the kinds' costs; the number of GPUs when every cost is 1
    bound:    no packing can cost less; None when the solver did not run
    proven:   whether `cost` is proven to be the lowest, with everything placed
    method:   `highs` or `greedy`
    reasons:  sentences
    """

    gpus: tuple[PackedGpu, ...]
    unplaced: Mapping[str, float]
    cost: float
    bound: float | None
    proven: bool
    method: str
    reasons: tuple[str, ...] = ()
