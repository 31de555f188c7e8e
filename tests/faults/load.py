"""Recordings: what the collectors of two nodes saw in half a day, the same in every run."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collector.publisher import Flush
from collector.recording import RecordingSink
from models.events import WorkloadEvent
from models.inventory import Node
from models.telemetry import TelemetryBatch

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
STEP_MS, ROWS = 100_000, 10
"""A flush has ten rows of each workload, ten seconds each: 400 flushes are eleven hours."""
WORKLOADS = 12


@dataclass(frozen=True, slots=True)
class Load:
    """One recording per node. The nodes share no workload: whose rows come first is chance, and sums show it."""

    files: tuple[Path, ...]
    flushes: int

    @property
    def rows(self) -> int:
        """Rows of each workload."""
        return self.flushes * ROWS

    @property
    def span_s(self) -> float:
        """Recorded seconds."""
        return self.flushes * STEP_MS / 1000

    def workloads(self) -> set[str]:
        return {workload(node, number) for node in range(len(self.files)) for number in range(WORKLOADS)}


def record(folder: Path, flushes: int, nodes: int = 2) -> Load:
    """Write the recordings. They begin at 19:00 UTC three days ago, so that hours, a day and a peak window end in them."""
    folder.mkdir(exist_ok=True)
    begin_ms = (time.time_ns() // 1_000_000 // DAY_MS - 3) * DAY_MS + 19 * HOUR_MS
    files = tuple(folder / f"node-{node}.rec" for node in range(nodes))
    for node, file in enumerate(files):
        with RecordingSink(file) as sink:
            for flush in _flushes(node, begin_ms, flushes):
                sink.put(flush, {})
    return Load(files, flushes)


def workload(node: int, number: int) -> str:
    return f"prod/shop/Deployment/app-{node}-{number}/main"


def _flushes(node: int, begin_ms: int, count: int) -> Iterator[Flush]:
    chance = random.Random(node)
    for number in range(count):
        begin = begin_ms + number * STEP_MS
        end = begin + STEP_MS
        events = [WorkloadEvent("started", workload(node, 0), f"pod-{number}", f"node-{node}", end)]
        nodes = [Node("prod", f"node-{node}", end, cpu_cores=8.0, memory_bytes=32 << 30)] if number % 50 == 0 else []
        yield Flush(end, [_batch(node, begin, chance)], events if number % 20 == 0 else [], nodes)


def _batch(node: int, begin_ms: int, chance: random.Random) -> TelemetryBatch:
    names = [workload(node, number) for number in range(WORKLOADS) for _ in range(ROWS)]
    n = len(names)
    return TelemetryBatch(
        "cpu",
        {"workload": names, "instance": [f"{name[-9:]}-pod" for name in names]},
        [begin_ms + (i + 1) * STEP_MS // ROWS for _ in range(WORKLOADS) for i in range(ROWS)],
        [STEP_MS // ROWS] * n,
        {
            "cpu_cores": [chance.lognormvariate(-1, 1) for _ in range(n)],
            "memory_working_set_bytes": [chance.uniform(1, 4) * 1e9 for _ in range(n)],
            "cpu_throttled_ratio": [chance.random() if chance.random() < 0.3 else None for _ in range(n)],
            "cpu_request_cores": [2.0] * n,
            "oom_kills": [float(chance.random() < 0.001) for _ in range(n)],
        },
    )
