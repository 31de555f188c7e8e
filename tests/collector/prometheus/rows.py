"""Reads back what an import wrote."""

from __future__ import annotations

from dataclasses import dataclass

from collector.telemetry_rows import decode_rows
from models.events import WorkloadEvent
from models.inventory import Node
from models.signals import RowKind
from models.telemetry import KEY_COLUMNS
from stream import schemas
from stream.contract import EventLog
from stream.json_codec import decode_json
from stream.read_all import read_all
from stream.streams import EVENTS, INVENTORY, TELEMETRY

_KINDS: dict[str, RowKind] = {schema: kind for kind, schema in schemas.TELEMETRY.items()}


@dataclass(frozen=True)
class Row:
    """One telemetry row. Signals that it lacks are left out."""

    keys: tuple[str, ...]
    time_ms: int
    interval_ms: int
    signals: dict[str, float]


def rows_in(log: EventLog, kind: RowKind = "cpu") -> list[Row]:
    """All rows of one kind in the order of the log."""
    return [row for record in _records(log) for row in _rows(record.value or b"", record.headers, kind)]


def by_workload(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.keys[0], []).append(row)
    return found


def events_in(log: EventLog) -> list[WorkloadEvent]:
    values = [r.value or b"" for n in range(log.partitions(EVENTS)) for r in read_all(log, EVENTS, n)]
    return [decode_json(value, WorkloadEvent) for value in values]


def nodes_in(log: EventLog) -> list[Node]:
    return [decode_json(record.value or b"", Node) for record in read_all(log, INVENTORY, 0)]


def _records(log: EventLog):
    for number in range(log.partitions(TELEMETRY)):
        yield from read_all(log, TELEMETRY, number)


def _rows(value: bytes, headers, kind: RowKind) -> list[Row]:
    if _KINDS[headers[schemas.SCHEMA]] != kind:
        return []
    batch = decode_rows(value, kind)
    return [
        Row(
            tuple(batch.keys[name][i] for name in KEY_COLUMNS[kind]),
            batch.time_ms[i],
            batch.interval_ms[i],
            {name: column[i] for name, column in batch.signals.items() if column[i] is not None},
        )
        for i in range(len(batch))
    ]
