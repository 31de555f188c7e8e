"""A log with ten days of a small fleet: CPU and GPU workloads of every kind that a panel speaks of, and its nodes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import pi, sin

from models.inventory import Allocation, Coverage, Gpu, MigInstance, Node
from models.signals import RowKind
from models.telemetry import KEY_COLUMNS, TelemetryBatch
from stream import schemas
from stream.contract import EventLog, Message
from stream.json_codec import encode_json
from stream.streams import INVENTORY, TELEMETRY
from stream.telemetry_encoder import encode_telemetry

GIB = 2**30
H100, A100 = "NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB"
CLUSTER = "prod"
_DAYS, _SLOTS, _SLOT_MS = 10, 48, 1_800_000
_SMALL = {
    "cpu_request_cores": 1.0,
    "cpu_limit_cores": 2.0,
    "memory_request_bytes": 2.0 * GIB,
    "memory_limit_bytes": 4.0 * GIB,
    "cpu_throttled_ratio": 0.4,
    "cpu_pressure_ratio": 0.3,
    "memory_pressure_ratio": 0.1,
    "io_pressure_ratio": 0.05,
    "memory_rss_bytes": 1.0 * GIB,
}
_BUSY = {"gpu_utilization_ratio": 1.0, "sm_active_ratio": 1.0, "power_watts": 450.0, "fp32_active_ratio": 0.1}
_COUNTERS = {"fp64_active_ratio": 0.0, "fp16_active_ratio": 0.0, "tensor_active_ratio": 0.0, "dram_active_ratio": 0.1}


@dataclass(frozen=True, slots=True)
class Used:
    """What one workload used: CPU and memory give or take a tenth over the day, everything else as it stands."""

    workload: str
    cpu_cores: float
    memory_bytes: float
    cpu: Mapping[str, float] = field(default_factory=dict)
    gpu: Mapping[str, float] = field(default_factory=dict)
    gpu_uuid: str = ""
    gpu_model: str = ""
    mig_profile: str = ""
    oom_kills: float = 0.0

    @property
    def instance(self) -> str:
        return self.workload.split("/")[3] + "-0"


def _gpu(**signals: float) -> dict[str, float]:
    return {
        "framebuffer_used_bytes": 8.0 * GIB,
        "framebuffer_total_bytes": 80.0 * GIB,
        "power_limit_watts": 700.0,
    } | signals


FLEET = (
    Used(
        f"{CLUSTER}/shop/Deployment/cart/server",
        0.4,
        1.0 * GIB,
        _SMALL | {"cpu_request_cores": 4.0, "memory_request_bytes": 8.0 * GIB, "memory_limit_bytes": 8.0 * GIB},
    ),
    Used(f"{CLUSTER}/shop/Deployment/search/main", 1.9, 3.8 * GIB, _SMALL, oom_kills=1.0),
    Used(
        f"{CLUSTER}/ml/Job/train/main",
        1.9,
        3.8 * GIB,
        _SMALL,
        _gpu(**_BUSY, **_COUNTERS)
        | {"tensor_active_ratio": 0.9, "power_watts": 690.0, "memory_copy_utilization_ratio": 0.3},
        "GPU-H0",
        H100,
        oom_kills=1.0,
    ),
    Used(
        f"{CLUSTER}/ml/StatefulSet/notebook/main",
        0.1,
        1.0 * GIB,
        _SMALL,
        _gpu(gpu_utilization_ratio=0.0, memory_copy_utilization_ratio=0.0, power_watts=115.0),
        "GPU-H1",
        H100,
    ),
    Used(
        f"{CLUSTER}/ml/Job/stream/main",
        0.5,
        1.0 * GIB,
        _SMALL,
        _gpu(**_BUSY, **_COUNTERS) | {"dram_active_ratio": 0.78, "memory_copy_utilization_ratio": 0.98},
        "GPU-A0",
        A100,
    ),
    Used(
        f"{CLUSTER}/ml/Deployment/serve/main",
        0.5,
        1.0 * GIB,
        _SMALL,
        {
            "sm_active_ratio": 0.2,
            "dram_active_ratio": 0.1,
            "tensor_active_ratio": 0.1,
            "framebuffer_used_bytes": 5.0 * GIB,
        },
        "MIG-3",
        A100,
        "3g.40gb",
    ),
)


def nodes(now_ms: int) -> tuple[Node, ...]:
    """Two for CPU; H100 on demand, with a free one, and on spot; A100 of which one is cut in two slices."""
    held = {used.gpu_uuid: used for used in FLEET if used.gpu_uuid}
    coverage = (
        Coverage("cgroup", "cpu_cores", True),
        Coverage("dcgm", "sm_active_ratio", False, "turn it on in counters.csv"),
    )

    def node(name: str, gpus: tuple[Gpu, ...], price: float, spot: bool, *running: Used) -> Node:
        allocations = tuple(
            Allocation(used.workload, used.instance, 1.0, 2 * GIB, (used.gpu_uuid,) if used.gpu_uuid else ())
            for used in running
        )
        return Node(
            CLUSTER, name, now_ms, cpu_cores=64, memory_bytes=256 * GIB, gpus=gpus, zone="a", spot=spot,
            price_usd_per_hour=price, allocations=allocations, coverage=coverage,
        )  # fmt: skip

    slices = (MigInstance("MIG-3", "3g.40gb", 0), MigInstance("MIG-4", "3g.40gb", 4))
    cut = Gpu("GPU-A1", A100, 80 * GIB, mig_enabled=True, mig=slices)
    return (
        node("cpu-1", (), 3.0, False, FLEET[0], FLEET[1]),
        node(
            "h100-1",
            tuple(Gpu(f"GPU-H{n}", H100, 80 * GIB) for n in range(3)),
            7.5,
            False,
            held["GPU-H0"],
            held["GPU-H1"],
        ),
        node("h100-2", (Gpu("GPU-H8", H100, 80 * GIB),), 1.0, True),
        node("a100-1", (Gpu("GPU-A0", A100, 80 * GIB), cut), 3.0, False, held["GPU-A0"], held["MIG-3"]),
        node("a100-2", (Gpu("GPU-A8", A100, 80 * GIB),), 0.9, True),
    )


def write(log: EventLog) -> None:
    """Telemetry, inventory, and one message that nobody can read."""
    now_ms = int(time.time() * 1000)
    writer = log.writer()
    writer.append(TELEMETRY, list(_telemetry(now_ms)))
    writer.append(
        TELEMETRY, [Message("rubbish", b"\x00not a frame", {schemas.SCHEMA: schemas.TELEMETRY["cpu"]}, now_ms, 0)]
    )
    writer.append(INVENTORY, [_reported(node, now_ms) for node in nodes(now_ms)])
    writer.flush(10)
    writer.close()


def _telemetry(now_ms: int) -> Iterator[Message]:
    """A message per day and kind of row, all from one collector; the newest row is a few minutes old at most."""
    start_ms = now_ms - _DAYS * _SLOTS * _SLOT_MS
    sequence = 0
    for day in range(_DAYS):
        ends = [start_ms + (day * _SLOTS + slot + 1) * _SLOT_MS for slot in range(_SLOTS)]
        for batch in (_batch("cpu", FLEET, ends), _batch("gpu", tuple(u for u in FLEET if u.gpu_uuid), ends)):
            sequence += 1
            headers = {
                schemas.SCHEMA: schemas.TELEMETRY[batch.kind],
                schemas.PRODUCER: "test",
                schemas.SEQUENCE: str(sequence),
            }
            yield Message("test", encode_telemetry(batch), headers, ends[-1], 0)


def _batch(kind: RowKind, used: tuple[Used, ...], ends: list[int]) -> TelemetryBatch:
    """Rows by time, then by workload, as a collector sends them."""
    waves = [1 + 0.1 * sin(2 * pi * slot / len(ends)) for slot in range(len(ends))]
    rows = [_cpu(u, wave) if kind == "cpu" else u.gpu for wave in waves for u in used]
    keys = {name: [getattr(u, name) for u in used] for name in KEY_COLUMNS[kind]}
    signals = dict.fromkeys(name for row in rows for name in row)
    return TelemetryBatch(
        kind,
        {name: column * len(ends) for name, column in keys.items()},
        [end for end in ends for _ in used],
        [_SLOT_MS] * len(rows),
        {name: [row.get(name) for row in rows] for name in signals},
    )


def _cpu(used: Used, wave: float) -> Mapping[str, float]:
    own = {"cpu_cores": used.cpu_cores * wave, "memory_working_set_bytes": used.memory_bytes * wave}
    return own | used.cpu | {"oom_kills": used.oom_kills}


def _reported(node: Node, now_ms: int) -> Message:
    return Message(f"{node.cluster}/{node.name}", encode_json(node), {schemas.SCHEMA: schemas.NODE}, now_ms, 0)
