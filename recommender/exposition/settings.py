"""Settings of the fleet's series on /metrics."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class ExpositionSettings:
    workloads_limit: int = 2000
    """Workloads that are told one by one, those with most at stake: about 45 series each, 70 on GPUs. The others stand in
    the totals of their namespace, and `sizewise_workloads_not_exported` counts them."""

    nodes_limit: int = 2000
    """Nodes that are told one by one, in order of their names: 9 series each."""

    gpus_limit: int = 4000
    """GPUs that are told one by one, in the order of their nodes: 3 series each, and one per holder and slice profile."""

    namespaces_limit: int = 1000
    """Namespaces with totals, those with most workloads first: 12 series each."""

    interval_ms: int = 15000
    """Shortest time between two makings of the series, which take about 0.1 s of the interpreter that requests need too.
    Prometheus commonly asks every 15 to 60 s."""

    def __post_init__(self) -> None:
        for item in fields(self):
            if getattr(self, item.name) < 1:
                raise ValueError(f"{item.name} is {getattr(self, item.name)}; it must be at least 1")
