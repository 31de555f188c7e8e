"""A source whose rows can be added up, and what was delivered of it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from collector.source import Moment, Reading
from collector.telemetry_rows import decode_rows
from models.events import WorkloadEvent
from models.telemetry import TelemetryBatch
from stream.contract import EventLog, Record
from stream.read_all import read_all
from stream.schemas import PRODUCER, SEQUENCE
from stream.streams import TELEMETRY

WORKLOADS = tuple(f"c/ns/Deployment/app-{i}/main" for i in range(10))


class Spans:
    """One row per workload and read, whose span begins where the one before ended. The spans of everything delivered
    join without a gap or an overlap exactly when nothing was lost or doubled."""

    name = "spans"

    def __init__(self) -> None:
        self._before_ms: int | None = None

    def read(self, now: Moment) -> Reading:
        before, self._before_ms = self._before_ms, now.steady_ms
        if before is None or before == now.steady_ms:
            return Reading()
        n = len(WORKLOADS)
        keys = {"workload": WORKLOADS, "instance": ["i"] * n}
        batch = TelemetryBatch("cpu", keys, [now.steady_ms] * n, [now.steady_ms - before] * n, {"cpu_cores": [0.5] * n})
        return Reading([batch], [WorkloadEvent("started", WORKLOADS[0], "i", "n1", now.steady_ms)])

    def state(self) -> bytes:
        return msgspec.json.encode(self._before_ms)

    def restore(self, state: bytes, now: Moment) -> None:
        self._before_ms = msgspec.json.decode(state, type=int | None)

    def close(self) -> None: ...


def delivered(log: EventLog, stream: str = TELEMETRY) -> list[Record]:
    """What a reader keeps: each number of a producer once, in the order of the numbers."""
    every = (record for partition in log.offsets(stream) for record in read_all(log, stream, partition))
    records = {(r.headers[PRODUCER], int(r.headers[SEQUENCE])): r for r in every}
    return [records[key] for key in sorted(records)]


def spans(records: list[Record]) -> dict[str, list[tuple[int, int]]]:
    """By workload, (begin, end) of each row, in order of delivery."""
    out: dict[str, list[tuple[int, int]]] = {}
    for workload, end, length in _rows(records):
        out.setdefault(workload, []).append((end - length, end))
    return out


def _rows(records: list[Record]) -> Iterator[tuple[str, int, int]]:
    for record in records:
        assert record.value is not None
        batch = decode_rows(record.value, "cpu")
        yield from zip(batch.keys["workload"], batch.time_ms, batch.interval_ms, strict=True)
