"""What events said of workloads: kills, throttling, evictions and autoscalers, the newest of each.

Events are read from the log beside the profiles, as far back as the log keeps them; nothing of them is stored again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.columns import Array
from models.events import WorkloadEvent
from models.profile import RESOURCES
from recommender.sizing.told import Told

_BAD = ("oom-killed", "throttled", "evicted")
"""Kinds of events that count, and what an `outcome` event of somebody else may give as its result. Those that the
recommender tells itself say hurt, fine or wasteful, and count for nothing: no judgement rests on an earlier one."""
_FOLLOWED = {resource: f"autoscaler-seen {resource}" for resource in RESOURCES}


@dataclass(slots=True)
class Heard:
    """Newest time, in ms, by workload. Only workloads of which something was told are in here."""

    _newest: dict[str, dict[str, int]] = field(
        default_factory=lambda: {name: {} for name in (*_BAD, *_FOLLOWED.values())}
    )

    def take(self, event: WorkloadEvent) -> None:
        if event.kind == "outcome":
            said = event.details.get("result", "")
        elif event.kind == "autoscaler-seen":
            said = _FOLLOWED.get(event.details.get("metric", ""), "")
        else:
            said = event.kind
        known = self._newest.get(said)
        if known is not None:
            known[event.workload] = max(event.time_ms, known.get(event.workload, 0))

    def of(self, workloads: Sequence[str]) -> Told:
        """Row by row; 0 where nothing was told."""
        killed, throttled, evicted = (self._times(name, workloads) for name in _BAD)
        autoscaled = np.stack([self._times(name, workloads) for name in _FOLLOWED.values()], axis=1)
        return Told(killed, throttled, evicted, autoscaled)

    def _times(self, name: str, workloads: Sequence[str]) -> Array:
        known = self._newest[name]
        if not known:
            return np.zeros(len(workloads), dtype=np.int64)
        return np.array([known.get(workload, 0) for workload in workloads], dtype=np.int64)
