"""What happened to a workload, at one time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

EventKind = Literal[
    "started",
    "ended",
    "oom-killed",
    "throttled",
    "evicted",
    "requests-changed",
    "outcome",
    "gpu-error",
    "autoscaler-seen",
]
"""outcome: what became of a change that followed a recommendation, told by the recommender: result hurt, fine or wasteful,
because (models.outcome), resource, recommendation, before and after.
autoscaler-seen: an autoscaler holds a metric in relation to the request of the workload; details metric = cpu or memory,
autoscaler = its name. Told anew at least once a day while it is so."""


@dataclass(frozen=True, slots=True)
class WorkloadEvent:
    kind: EventKind
    workload: str
    instance: str
    node: str
    time_ms: int
    details: dict[str, str] = field(default_factory=dict)
