"""What others than telemetry told of workloads, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from models.profile import RESOURCES


@dataclass(frozen=True, slots=True)
class Told:
    """Newest time in ms of an OOM kill, of throttling and of an eviction, [n] each, and at which an autoscaler was seen that
    follows use in relation to the request, [n, 2]; 0: never."""

    killed_ms: Array
    throttled_ms: Array
    evicted_ms: Array
    autoscaled_ms: Array

    @classmethod
    def nothing(cls, n: int) -> Told:
        never = np.zeros(n, dtype=np.int64)
        return cls(never, never, never, np.zeros((n, len(RESOURCES)), dtype=np.int64))
