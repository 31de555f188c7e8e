"""What was read, as messages: telemetry split by the partition of its workload, one message per kind and partition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from collector.outbox import Addressed
from models.events import WorkloadEvent
from models.inventory import Node
from models.signals import SIGNALS, RowKind
from models.telemetry import KEY_COLUMNS, TelemetryBatch
from models.workload import partition_of
from stream import schemas
from stream.contract import Message
from stream.json_codec import encode_json
from stream.streams import EVENTS, INVENTORY, TELEMETRY
from stream.telemetry_encoder import encode_telemetry

T = TypeVar("T")

MAX_ROWS = 2000
"""Rows of one telemetry message: about 500 kB before compression, far under the stream's 1 MiB."""


@dataclass(frozen=True, slots=True)
class Flush:
    """What was read between two flushes. Batches of one kind may be many; `time_ms` is the newest read."""

    time_ms: int
    batches: Sequence[TelemetryBatch] = ()
    events: Sequence[WorkloadEvent] = ()
    nodes: Sequence[Node] = field(default_factory=tuple)

    def __bool__(self) -> bool:
        return bool(self.batches or self.events or self.nodes)


def messages(flush: Flush, producer: str, partitions: int) -> list[Addressed]:
    """The messages of one flush, in an order that depends on its content alone."""
    out: list[Addressed] = []
    for kind in KEY_COLUMNS:
        for partition, batch in split(joined(kind, flush.batches), partitions):
            out += (Addressed(TELEMETRY, telemetry_message(part, producer, partition)) for part in pieces(batch))
    out += (Addressed(EVENTS, _event(event, partitions)) for event in flush.events)
    out += (Addressed(INVENTORY, _node(node)) for node in flush.nodes)
    return out


def joined(kind: RowKind, batches: Iterable[TelemetryBatch]) -> TelemetryBatch:
    """All rows of one kind as one batch, in order; a signal that a batch lacks is None in its rows."""
    chosen = [batch for batch in batches if batch.kind == kind and len(batch)]
    if len(chosen) == 1:
        return chosen[0]
    known = {name for batch in chosen for name in batch.signals}
    names = [signal.name for signal in SIGNALS[kind] if signal.name in known]
    missing = {len(batch): (None,) * len(batch) for batch in chosen}
    return TelemetryBatch(
        kind,
        {key: _chained(batch.keys[key] for batch in chosen) for key in KEY_COLUMNS[kind]},
        _chained(batch.time_ms for batch in chosen),
        _chained(batch.interval_ms for batch in chosen),
        {name: _chained(batch.signals.get(name, missing[len(batch)]) for batch in chosen) for name in names},
    )


def split(batch: TelemetryBatch, partitions: int) -> list[tuple[int, TelemetryBatch]]:
    """The rows of each partition that has any, by partition number; their order is kept."""
    ids = {workload: partition_of(workload, partitions) for workload in dict.fromkeys(batch.keys["workload"])}
    rows: dict[int, list[int]] = {}
    for i, workload in enumerate(batch.keys["workload"]):
        rows.setdefault(ids[workload], []).append(i)
    return [(partition, _taken(batch, rows[partition])) for partition in sorted(rows)]


def _chained(columns: Iterable[Sequence[T]]) -> list[T]:
    out: list[T] = []
    for column in columns:
        out += column
    return out


def _taken(batch: TelemetryBatch, rows: Sequence[int]) -> TelemetryBatch:
    return TelemetryBatch(
        batch.kind,
        {name: [column[i] for i in rows] for name, column in batch.keys.items()},
        [batch.time_ms[i] for i in rows],
        [batch.interval_ms[i] for i in rows],
        {name: [column[i] for i in rows] for name, column in batch.signals.items()},
    )


def pieces(batch: TelemetryBatch, max_rows: int = MAX_ROWS) -> list[TelemetryBatch]:
    """The rows in their order as batches of at most `max_rows`."""
    if len(batch) <= max_rows:
        return [batch]
    return [_taken(batch, range(i, min(i + max_rows, len(batch)))) for i in range(0, len(batch), max_rows)]


def telemetry_message(batch: TelemetryBatch, producer: str, partition: int) -> Message:
    """One batch as it goes to its partition, which all its workloads have."""
    headers = {schemas.SCHEMA: schemas.TELEMETRY[batch.kind]}
    return Message(producer, encode_telemetry(batch), headers, max(batch.time_ms), partition)


def _event(event: WorkloadEvent, partitions: int) -> Message:
    headers = {schemas.SCHEMA: schemas.EVENT}
    partition = partition_of(event.workload, partitions)
    return Message(event.workload, encode_json(event), headers, event.time_ms, partition)


def _node(node: Node) -> Message:
    return Message(f"{node.cluster}/{node.name}", encode_json(node), {schemas.SCHEMA: schemas.NODE}, node.time_ms, 0)
