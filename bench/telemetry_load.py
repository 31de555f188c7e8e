"""Telemetry as collectors send it: a node's flush is ten rows, at 1 Hz, of each of its workloads of one partition."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.signals import CPU_SIGNALS
from models.telemetry import TelemetryBatch
from stream import schemas
from stream.contract import Message, Record
from stream.streams import TELEMETRY
from stream.telemetry_encoder import encode_telemetry

ROWS = 10
WORKLOADS_PER_NODE = 200
PARTITIONS = 8
SIGNALS = 13
"""Of 16: containers seldom have all of CPU limit, memory limit and the network's two."""
T0_MS = 1_700_006_400_000
FLUSH_MS = ROWS * 1000

SHAPE = (
    f"A message is a node's flush of one partition: {ROWS} rows at 1 Hz of {WORKLOADS_PER_NODE // PARTITIONS} workloads "
    f"({WORKLOADS_PER_NODE} a node, {PARTITIONS} partitions), {SIGNALS} of {len(CPU_SIGNALS)} signals present."
)


@dataclass(frozen=True, slots=True)
class Load:
    """Messages of whole flushes over a fleet of `workloads` (a multiple of 200)."""

    workloads: int
    rows: int = ROWS

    @property
    def nodes(self) -> int:
        return self.workloads // WORKLOADS_PER_NODE

    @property
    def samples_per_flush(self) -> int:
        return self.workloads * self.rows * SIGNALS

    def flush(self, number: int) -> Iterator[Message]:
        """One message per node and partition, encoded, in the order in which nodes send them."""
        random = np.random.default_rng(number)
        for node in range(self.nodes):
            for partition in range(PARTITIONS):
                yield self._message(node, partition, number, random)

    def _message(self, node: int, partition: int, number: int, random: np.random.Generator) -> Message:
        per_message = WORKLOADS_PER_NODE // PARTITIONS
        names = [f"prod-eu/team-{node % 40}/Deployment/service-{node}-{partition}-{i}/main" for i in range(per_message)]
        instances = [f"service-{node}-{partition}-{i}-7d9f8b6c5-x{i:04d}" for i in range(per_message)]
        start = T0_MS + number * FLUSH_MS
        batch = TelemetryBatch(
            "cpu",
            {"workload": names * self.rows, "instance": instances * self.rows},
            [start + 1000 * (row + 1) for row in range(self.rows) for _ in range(per_message)],
            [1000] * (per_message * self.rows),
            _signals(node, partition, (self.rows, per_message), random),
        )
        headers = {
            schemas.SCHEMA: schemas.TELEMETRY["cpu"],
            schemas.PRODUCER: f"node-{node}",
            schemas.SEQUENCE: str(number + 1),
        }
        return Message(f"node-{node}", encode_telemetry(batch), headers, start + FLUSH_MS, partition)


def _signals(node: int, partition: int, shape: tuple[int, int], random: np.random.Generator) -> dict[str, array[float]]:
    """Each workload has a level of its own, log-normal over the fleet, and noise around it."""
    level = np.exp(np.random.default_rng(node * PARTITIONS + partition).normal(0, 1.5, shape[1]))
    scale = {"cores": 0.2, "bytes": 3e8, "bytes/s": 1e5, "ratio": 0.02, "count": 0.0}
    columns = {}
    for signal in CPU_SIGNALS[:SIGNALS]:
        values = level * random.gamma(8.0, 1 / 8.0, shape) * scale[signal.unit]
        columns[signal.name] = array("d", np.minimum(values, signal.high).tobytes())
    return columns


def records(messages: Iterator[Message]) -> list[Record]:
    """Messages as a log returns them."""
    return [
        Record(TELEMETRY, m.partition or 0, offset, m.key, m.value, m.headers, m.time_ms)
        for offset, m in enumerate(messages)
    ]
