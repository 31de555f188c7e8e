"""Telemetry messages for the profiler's tests, and profiles as something that can be compared bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.columns import Columns
from models.metrics import NullMeter
from models.profile import PROFILE_FIELDS
from models.telemetry import TelemetryBatch
from profiler import summary
from profiler.partition import Partition
from profiler.profiles import SLAB, Profiles
from profiler.settings import ProfilerSettings
from profiler.slabs import restore
from stream import schemas
from stream.contract import Message, Record
from stream.telemetry_encoder import encode_telemetry

T0 = 1_700_006_400_000
"""2023-11-15 00:00 UTC, a Wednesday."""
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


def workload(name: str) -> str:
    return f"prod/shop/Deployment/{name}/main"


@dataclass(frozen=True)
class Row:
    """One telemetry row; `at_ms` counts from T0. Signals that are left out are missing."""

    name: str
    at_ms: int
    cpu: float | None = None
    memory: float | None = None
    interval_ms: int = SECOND
    oom: float | None = None
    signals: dict[str, float] = field(default_factory=dict)
    instance: str = ""
    """Of a workload that has several."""

    def values(self) -> dict[str, float | None]:
        own = {"cpu_cores": self.cpu, "memory_working_set_bytes": self.memory, "oom_kills": self.oom}
        return {**own, **self.signals}


def message(
    rows: Sequence[Row], producer: str, sequence: int, partition: int = 0, time_ms: int | None = None
) -> Message:
    """What a collector sends: `time_ms` (absolute) is when it was written, by default just after its newest row."""
    names = list(dict.fromkeys(name for row in rows for name in row.values()))
    batch = TelemetryBatch(
        "cpu",
        {
            "workload": [workload(row.name) for row in rows],
            "instance": [row.instance or f"{row.name}-0" for row in rows],
        },
        [T0 + row.at_ms for row in rows],
        [row.interval_ms for row in rows],
        {name: [row.values().get(name) for row in rows] for name in names},
    )
    headers = {
        schemas.SCHEMA: schemas.TELEMETRY["cpu"],
        schemas.PRODUCER: producer,
        schemas.SEQUENCE: str(sequence),
    }
    written = T0 + max((row.at_ms for row in rows), default=0) + SECOND if time_ms is None else time_ms
    return Message(producer, encode_telemetry(batch), headers, written, partition)


def record(message: Message, offset: int, stream: str = "telemetry") -> Record:
    """The message as a log would return it."""
    return Record(stream, message.partition or 0, offset, message.key, message.value, message.headers, message.time_ms)


def partition(settings: ProfilerSettings | None = None, saved: Iterable[Message] = ()) -> Partition:
    """A partition, new or restored from what an earlier one saved."""
    records = (record(m, offset, "profiles") for offset, m in enumerate(saved))
    return Partition(0, restore(records), settings or ProfilerSettings(), NullMeter())


NOW = T0 + 399 * DAY


def profile(messages: Sequence[Message], settings: ProfilerSettings | None = None) -> Partition:
    """All messages through one partition."""
    taken = partition(settings)
    for offset, sent in enumerate(messages):
        taken.take(record(sent, offset), NOW)
    taken.settle()
    return taken


def of(profiles: Profiles, name: str) -> dict[str, Any]:
    """The fields of one workload as arrays and numbers."""
    slot = int(profiles.slots_of([workload(name)])[0])
    return {field.name: profiles[field.name][slot] for field in PROFILE_FIELDS}


def bits(slabs: Iterable[Columns]) -> dict[str, dict[str, bytes]]:
    """Each workload's fields as bytes: equal means equal in every bit, NaN included."""
    return {
        name: {key: array[row].tobytes() for key, array in slab.arrays.items()}
        for slab in slabs
        for row, name in enumerate(slab.workloads)
    }


def state(taken: Partition) -> dict[str, dict[str, bytes]]:
    """`bits` of all that a partition holds, as it would be saved."""
    taken.settle()
    used = len(taken.profiles.names)
    summary.write(taken.profiles, slice(0, used))
    return bits(taken.profiles.slab(index) for index in range(-(-used // SLAB)))
