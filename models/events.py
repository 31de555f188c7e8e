"""What happened to a workload, at one time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

EventKind = Literal[
    "started", "ended", "oom-killed", "throttled", "evicted", "requests-changed", "outcome", "gpu-error"
]


@dataclass(frozen=True, slots=True)
class WorkloadEvent:
    kind: EventKind
    workload: str
    instance: str
    node: str
    time_ms: int
    details: dict[str, str] = field(default_factory=dict)
