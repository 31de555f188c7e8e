"""A log as collectors, profiler and recommender leave it after ten days: the workloads whose pods the tests create."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, pi, sin
from pathlib import Path

from models.inventory import Node
from models.metrics import NullMeter
from models.recommendation import RECOMMENDATION_FIELDS
from models.signals import RowKind
from models.telemetry import KEY_COLUMNS, TelemetryBatch
from profiler.service import Profiler
from profiler.settings import ProfilerSettings
from recommender.service import Recommender
from recommender.settings import RecommenderSettings
from stream import schemas
from stream.columns_codec import decode_columns
from stream.consume import ConsumeSettings
from stream.contract import EventLog, Message
from stream.json_codec import encode_json
from stream.open import open_log
from stream.read_all import newest_by_key, read_all
from stream.settings import LogSettings
from stream.streams import INVENTORY, PROFILES, RECOMMENDATIONS, TELEMETRY, stream_specs
from stream.telemetry_encoder import encode_telemetry
from tests.roles import running, until

CLUSTER = "prod"
MIB, GIB = 2**20, 2**30
A100 = "NVIDIA A100-SXM4-40GB"
"""The GPU of which the speed of slices was measured: for others a probe is advised first, and nothing is applied."""

_DAYS, _SLOTS, _SLOT_MS = 10, 48, 1_800_000


@dataclass(frozen=True, slots=True)
class Used:
    """What a workload used all the time, give or take a tenth over the day."""

    workload: str
    cpu_cores: float
    memory_bytes: float
    gpu_model: str = ""


@dataclass(frozen=True, slots=True)
class Fleet:
    """location: of the log. targets: workload, then what to ask for, as Kubernetes writes it."""

    location: str
    targets: Mapping[str, Mapping[str, str]]


def write_log(file: Path, used: tuple[Used, ...], nodes: tuple[Node, ...] = ()) -> Fleet:
    """The fleet, once the recommendations are in its log."""
    location = f"sqlite:{file}"
    log = open_log(LogSettings(location, sqlite_synchronous="normal"))
    log.ensure(stream_specs(1))
    now_ms = int(time.time() * 1000)
    writer = log.writer()
    writer.append(TELEMETRY, list(_telemetry(used, now_ms)))
    writer.append(INVENTORY, [_reported(node, now_ms) for node in nodes])
    writer.flush(10)
    writer.close()
    _work_through(log)
    targets = _targets(log)
    log.close()
    return Fleet(location, targets)


def _telemetry(used: tuple[Used, ...], now_ms: int) -> Iterator[Message]:
    """A message per day and kind of row, all from one collector; the newest row is half an hour old at most."""
    start_ms = now_ms - _DAYS * _SLOTS * _SLOT_MS
    sequence = 0
    for day in range(_DAYS):
        ends = [start_ms + (day * _SLOTS + slot + 1) * _SLOT_MS for slot in range(_SLOTS)]
        for batch in (_batch("cpu", used, ends), _batch("gpu", tuple(u for u in used if u.gpu_model), ends)):
            if not len(batch):
                continue
            sequence += 1
            headers = {
                schemas.SCHEMA: schemas.TELEMETRY[batch.kind],
                schemas.PRODUCER: "test",
                schemas.SEQUENCE: str(sequence),
            }
            yield Message("test", encode_telemetry(batch), headers, ends[-1], 0)


def _batch(kind: RowKind, used: tuple[Used, ...], ends: list[int]) -> TelemetryBatch:
    """Rows by time, then by workload, as a collector sends them."""
    wave = [1 + 0.1 * sin(2 * pi * slot / len(ends)) for slot in range(len(ends))]
    signals = [_cpu_signals(u, w) if kind == "cpu" else _gpu_signals(w) for w in wave for u in used]
    keys = {
        "workload": [u.workload for u in used],
        "instance": [f"{u.workload.split('/')[3]}-0" for u in used],
        "gpu_uuid": [f"GPU-{number}" for number in range(len(used))],
        "gpu_model": [u.gpu_model for u in used],
        "mig_profile": [""] * len(used),
    }
    return TelemetryBatch(
        kind,
        {name: keys[name] * len(ends) for name in KEY_COLUMNS[kind]},
        [end for end in ends for _ in used],
        [_SLOT_MS] * (len(ends) * len(used)),
        {name: [row[name] for row in signals] for name in (signals[0] if signals else ())},
    )


def _cpu_signals(used: Used, wave: float) -> Mapping[str, float]:
    return {"cpu_cores": used.cpu_cores * wave, "memory_working_set_bytes": used.memory_bytes * wave}


def _gpu_signals(wave: float) -> Mapping[str, float]:
    """A tenth of the GPU, and memory that needs a slice of three: no smaller one holds it, and this one is surely enough."""
    return {
        "gpu_utilization_ratio": 0.1 * wave,
        "memory_copy_utilization_ratio": 0.02 * wave,
        "power_watts": 70.0,
        "power_limit_watts": 400.0,
        "framebuffer_used_bytes": 15.0 * GIB,
        "framebuffer_total_bytes": 40.0 * GIB,
    }


def _reported(node: Node, now_ms: int) -> Message:
    headers = {schemas.SCHEMA: schemas.NODE}
    return Message(f"{node.cluster}/{node.name}", encode_json(node), headers, now_ms, 0)


def _work_through(log: EventLog) -> None:
    """Profiler and recommender run until each has committed what there was."""
    quick = ConsumeSettings(commit_interval_s=0.02, poll_timeout_s=0.02)
    profiler = Profiler(log, ProfilerSettings(commit_interval_s=0.02), NullMeter(), time.time)
    recommender = Recommender(log, RecommenderSettings(consume=quick), NullMeter(), time.monotonic)
    with running(profiler.run, recommender.run):
        until(lambda: _taken(log, ProfilerSettings().group, TELEMETRY))
        until(lambda: _taken(log, RecommenderSettings().group, PROFILES))


def _targets(log: EventLog) -> dict[str, dict[str, str]]:
    """CPU in whole millicores and memory in whole MiB, rounded up."""
    (slab,) = newest_by_key(read_all(log, RECOMMENDATIONS, 0)).values()
    columns = decode_columns(slab.value, RECOMMENDATION_FIELDS)
    found = zip(columns.workloads, columns["target"].tolist(), strict=True)
    return {name: {"cpu": f"{ceil(1000 * cpu)}m", "memory": f"{ceil(memory / MIB)}Mi"} for name, (cpu, memory) in found}


def _taken(log: EventLog, group: str, stream: str) -> bool:
    return log.committed(group, stream).get(0) == log.offsets(stream)[0][1]
