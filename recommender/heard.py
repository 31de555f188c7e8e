"""What events said of workloads: kills, throttling, evictions and outcomes of applied changes, newest first.

Events are read from the log beside the profiles, as far back as the log keeps them; nothing of them is stored again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.events import WorkloadEvent
from recommender.sizing.told import Told

OUTCOMES = {"oom-killed": "killed", "throttled": "throttled", "evicted": "evicted"}
"""What an `outcome` event may say in details["result"] that counts; anything else is taken for well."""


@dataclass(slots=True)
class Heard:
    """Newest time, in ms, by workload. Only workloads of which something bad was told are in here."""

    _newest: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in OUTCOMES.values()})

    def take(self, event: WorkloadEvent) -> None:
        said = event.details.get("result", "") if event.kind == "outcome" else event.kind
        if name := OUTCOMES.get(said):
            known = self._newest[name]
            known[event.workload] = max(event.time_ms, known.get(event.workload, 0))

    def of(self, workloads: Sequence[str]) -> Told:
        """Row by row; 0 where nothing was told."""
        killed, throttled, evicted = (
            np.array([self._newest[name].get(workload, 0) for workload in workloads], dtype=np.int64)
            for name in ("killed", "throttled", "evicted")
        )
        return Told(killed, throttled, evicted)
