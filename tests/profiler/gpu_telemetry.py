"""GPU telemetry messages for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models.telemetry import TelemetryBatch
from stream import schemas
from stream.contract import Message
from stream.telemetry_encoder import encode_telemetry
from tests.profiler.telemetry import SECOND, T0, workload


@dataclass(frozen=True)
class GpuRow:
    name: str
    at_ms: int
    signals: dict[str, float] = field(default_factory=dict)
    gpu: str = "GPU-0"
    instance: str = "i0"
    interval_ms: int = SECOND
    slice: str = ""


def gpu_message(rows: Sequence[GpuRow], producer: str, sequence: int, t0: int = T0) -> Message:
    names = list(dict.fromkeys(name for row in rows for name in row.signals))
    batch = TelemetryBatch(
        "gpu",
        {
            "workload": [workload(row.name) for row in rows],
            "instance": [row.instance for row in rows],
            "gpu_uuid": [row.gpu for row in rows],
            "gpu_model": ["NVIDIA H100 80GB HBM3"] * len(rows),
            "mig_profile": [row.slice for row in rows],
        },
        [t0 + row.at_ms for row in rows],
        [row.interval_ms for row in rows],
        {name: [row.signals.get(name) for row in rows] for name in names},
    )
    headers = {schemas.SCHEMA: schemas.TELEMETRY["gpu"], schemas.PRODUCER: producer, schemas.SEQUENCE: str(sequence)}
    newest = max(row.at_ms for row in rows)
    return Message(producer, encode_telemetry(batch), headers, t0 + newest + SECOND, 0)
