"""Messages of any stream as plain records, for people and files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from models.audit import AuditEntry
from models.bottleneck import EVIDENCE, Bottleneck
from models.columns import Columns, Field
from models.events import WorkloadEvent
from models.inventory import Node
from models.profile import PROFILE_FIELDS, RESOURCES
from models.recommendation import RECOMMENDATION_FIELDS
from models.signals import CPU_SIGNALS, SIGNALS
from models.token import ApiToken
from recommender.view import SUMMARY_FIELDS
from stream import schemas
from stream.columns_codec import decode_columns
from stream.contract import Record
from stream.dead_letters import BadMessageError
from stream.json_codec import decode_json
from stream.streams import DEAD_LETTERS
from stream.telemetry_decoder import decode_telemetry

Plain = dict[str, Any]
_SUMMARY = frozenset(field.name for field in SUMMARY_FIELDS)


def rows(record: Record) -> Iterator[Plain]:
    """The rows in a message, each with where it lies. One that cannot be read is one row that says why."""
    place = {"partition": record.partition, "offset": record.offset, "key": record.key}
    if record.value is None:
        yield place | {"deleted": True}
        return
    if record.stream == DEAD_LETTERS:
        yield place | dict(record.headers) | {"bytes": len(record.value)}
        return
    schema = record.headers.get(schemas.SCHEMA, "")
    try:
        for row in _DECODERS.get(schema, _unknown)(record):
            yield place | row
    except BadMessageError as error:
        yield place | {"unreadable": str(error)}


def _telemetry(record: Record) -> Iterator[Plain]:
    frame = decode_telemetry(record, record.time_ms)
    names = [signal.name for signal in SIGNALS[frame.kind]]
    for i in range(len(frame)):
        keys = {name: labels[i] for name, labels in frame.keys.items()}
        times = {"time_ms": int(frame.time_ms[i]), "interval_ms": int(frame.interval_ms[i])}
        yield keys | times | {name: _number(value) for name, value in zip(names, frame.values[i], strict=True)}


def _profiles(record: Record) -> Iterator[Plain]:
    yield from _table_rows(decode_columns(record.value, PROFILE_FIELDS, only=_SUMMARY))


def _recommendations(record: Record) -> Iterator[Plain]:
    yield from _table_rows(decode_columns(record.value, RECOMMENDATION_FIELDS))


def _table_rows(columns: Columns) -> Iterator[Plain]:
    for i, workload in enumerate(columns.workloads):
        row: Plain = {"workload": workload}
        for field in columns.table:
            row |= _cells(field, columns[field.name][i])
        yield row


def _cells(field: Field, value: Any) -> Plain:
    """One column, or one per resource, signal, class or kind of evidence; a list of days or runs."""
    if field.shape == ():
        return {field.name: _number(value)}
    if len(field.shape) > 1:  # resource by resource, what carried a decision
        return {
            f"{field.name}.{label}": [_number(one) for one in part]
            for label, part in zip(RESOURCES, value, strict=True)
        }
    labels = _labels(field)
    if labels is None:
        return {field.name: [_number(one) for one in value]}
    return {f"{field.name}.{label}": _number(part) for label, part in zip(labels, value, strict=True)}


def _labels(field: Field) -> Sequence[str] | None:
    """Of the places of a row; None: they are days or runs, and stay a list of codes."""
    if field.name == "gpu_class_seconds":
        return [one.name.lower().replace("_", "-") for one in Bottleneck]
    if field.name == "gpu_evidence":
        return [one.name for one in EVIDENCE]
    if field.shape == (len(RESOURCES),):
        return RESOURCES
    return [signal.name for signal in CPU_SIGNALS] if field.name.startswith("signal_") else None


def _json(kind: type[Any]) -> Callable[[Record], Iterator[Plain]]:
    def decode(record: Record) -> Iterator[Plain]:
        yield msgspec.to_builtins(decode_json(record.value, kind))

    return decode


def _cover(record: Record) -> Iterator[Plain]:
    yield msgspec.json.decode(record.value or b"{}", type=dict)


def _secret(record: Record) -> Iterator[Plain]:
    yield {"secret": "***"}


def _unknown(record: Record) -> Iterator[Plain]:
    yield {"headers": dict(record.headers), "bytes": len(record.value or b"")}


def _number(value: Any) -> int | float | None:
    plain: int | float = value.item()
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


_DECODERS: Mapping[str, Callable[[Record], Iterator[Plain]]] = {
    **dict.fromkeys(schemas.TELEMETRY.values(), _telemetry),
    schemas.PROFILE: _profiles,
    schemas.RECOMMENDATION: _recommendations,
    schemas.EVENT: _json(WorkloadEvent),
    schemas.NODE: _json(Node),
    schemas.COVER: _cover,
    schemas.AUDIT: _json(AuditEntry),
    schemas.TOKEN: _json(ApiToken),
    schemas.SEAL_KEY: _secret,
}
