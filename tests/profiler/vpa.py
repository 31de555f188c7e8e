"""VPA's aggregation, ported sample by sample to plain Python: what the vectorised histograms are held against.

Kubernetes autoscaler, pkg/recommender/model/container.go and util/decaying_histogram.go, with one difference: a
first memory sample of 0 does not blind its window (VPA takes 0 for "no peak yet").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tests.profiler.telemetry import DAY, HOUR

RATIO = 1.05


def bucket(value: float, first: float) -> int:
    return 0 if value < first else min(175, math.floor(math.log(value * (RATIO - 1) / first + 1, RATIO)))


@dataclass
class DecayingHistogram:
    first: float
    reference_ms: int
    weights: list[float] = field(default_factory=lambda: [0.0] * 176)

    def add(self, value: float, weight: float, at_ms: int) -> None:
        self.weights[bucket(value, self.first)] += weight * 2 ** ((at_ms - self.reference_ms) / DAY)


@dataclass
class Container:
    """One container. `start_ms`: the window of memory peaks begins with the first hour seen."""

    start_ms: int
    cpu: DecayingHistogram = field(init=False)
    memory: DecayingHistogram = field(init=False)
    peak: float | None = None

    def __post_init__(self) -> None:
        self.cpu = DecayingHistogram(0.01, self.start_ms)
        self.memory = DecayingHistogram(1e7, self.start_ms)
        self.window_end_ms = self.start_ms // HOUR * HOUR + DAY

    def add_cpu(self, at_ms: int, cores: float) -> None:
        self.cpu.add(cores, 0.1, at_ms)

    def add_memory(self, at_ms: int, value: float) -> None:
        if at_ms >= self.window_end_ms:
            self.window_end_ms += (at_ms - self.window_end_ms) // DAY * DAY + DAY
            self.peak = None
        if self.peak is None or value > self.peak:
            if self.peak is not None:
                self.memory.add(self.peak, -1.0, self.window_end_ms)
            self.memory.add(value, 1.0, self.window_end_ms)
            self.peak = value
