"""The value of a telemetry message into numpy columns, and the rows that no profile may see.

A message that cannot be read is refused whole. In one that can be read, rows with impossible ids, times or values are
left out and reported by reason; the others are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.signals import SIGNALS, RowKind
from models.telemetry import KEY_COLUMNS
from stream import schemas
from stream.arrow_columns import numbers_in
from stream.arrow_frame import open_frame
from stream.contract import Record
from stream.dead_letters import BadMessageError, Reason

MAX_ID_BYTES = 1024
MAX_INTERVAL_MS = 86_400_000
"""A row describes at most a day: a longer span would put one mean over every hour of a daily shape."""
FUTURE_MS = 5 * 60_000
"""Clocks of a cluster agree within seconds. Five minutes forgive a bad one and still protect the decay of histograms."""
ANCIENT_MS = 400 * 86_400_000
"""A year and a month: what a history import may bring. Nothing older moves a decayed profile."""
MAX_COLUMNS = 128
MAX_ROWS = 1 << 17
"""Keeps a hostile row count from being multiplied by the signals. Honest messages hold a few thousand rows."""

_FLOAT64 = pa.float64()
_TIMES = ("time_ms", "interval_ms")
_KINDS: dict[str, RowKind] = {schema: kind for kind, schema in schemas.TELEMETRY.items()}
_HIGH = {kind: np.array([s.high for s in signals])[:, None] for kind, signals in SIGNALS.items()}


@dataclass(frozen=True, slots=True)
class Labels:
    """A text column: row i says `names[codes[i]]`. `codes` is int32[n]; every name occurs."""

    codes: NDArray[np.int32]
    names: Sequence[str]

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.codes[row])]


@dataclass(frozen=True, slots=True)
class TelemetryFrame:
    """The good rows of one message, as columns of one length n.

    keys:        the text columns of KEY_COLUMNS[kind]
    time_ms:     int64[n], end of the span that a row describes
    interval_ms: int64[n], length of that span
    values:      float64[n, S], columns in the order of SIGNALS[kind]; NaN where a row has no value. Column-major, so
                 that `values[:, s]` is contiguous
    rejected:    per reason, the rows of the message (ascending) that were left out; a row has one reason
    """

    kind: RowKind
    keys: Mapping[str, Labels]
    time_ms: NDArray[np.int64]
    interval_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    rejected: Mapping[Reason, NDArray[np.intp]]

    def __len__(self) -> int:
        return len(self.time_ms)

    @property
    def workload(self) -> Labels:
        return self.keys["workload"]

    @property
    def instance(self) -> Labels:
        return self.keys["instance"]

    def errors(self) -> list[BadMessageError]:
        """One error per reason of `rejected`, for `dead_letter`."""
        return [
            BadMessageError(reason, f"{len(rows)} rows of {self._read} left out, the first is row {rows[0]}")
            for reason, rows in self.rejected.items()
        ]

    @property
    def _read(self) -> int:
        return len(self) + sum(len(rows) for rows in self.rejected.values())


def decode_telemetry(record: Record, now_ms: int) -> TelemetryFrame:
    """The rows of a telemetry message. `now_ms` decides which rows are from the future or ancient.

    Raises BadMessageError when the message as a whole cannot be read.
    """
    kind = _kind(record)
    batch = open_frame(record.value, MAX_ROWS, lambda schema: _check_schema(schema, kind))
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    labels = {name: _labels(name, columns[name]) for name in KEY_COLUMNS[kind]}
    time_ms, interval_ms = (_integers(name, columns[name]) for name in _TIMES)
    values, impossible = _signals(kind, columns, batch.num_rows)
    faults = {
        Reason.MALFORMED: _bad_ids(labels),
        Reason.FUTURE: time_ms > now_ms + FUTURE_MS,
        Reason.ANCIENT: time_ms < now_ms - ANCIENT_MS,
        Reason.OUT_OF_RANGE: impossible | (interval_ms <= 0) | (interval_ms > MAX_INTERVAL_MS),
    }
    return _without(faults, TelemetryFrame(kind, labels, time_ms, interval_ms, values, {}))


def _kind(record: Record) -> RowKind:
    schema = record.headers.get(schemas.SCHEMA, "")
    if schema not in _KINDS:
        known = " or ".join(_KINDS)
        raise BadMessageError(Reason.UNKNOWN_SCHEMA, f"header schema is {schema[:80]!r}; {known} was expected")
    return _KINDS[schema]


def _check_schema(schema: pa.Schema, kind: RowKind) -> None:
    """Types must be exactly ours. A float64 column of an unknown name is a newer producer's signal and is ignored."""
    names = schema.names
    if len(names) > MAX_COLUMNS or len(set(names)) != len(names):
        raise BadMessageError(Reason.MALFORMED, f"{len(names)} columns; at most {MAX_COLUMNS}, each named once")
    expected = {**dict.fromkeys(KEY_COLUMNS[kind], pa.string()), **dict.fromkeys(_TIMES, pa.int64())}
    for name, found in zip(names, schema.types, strict=True):
        if found != expected.get(name, _FLOAT64):
            raise BadMessageError(
                Reason.MALFORMED,
                f"column {name[:80]!r} is {str(found)[:80]}; {expected.get(name, _FLOAT64)} was expected",
            )
    if missing := expected.keys() - set(names):
        raise BadMessageError(Reason.MALFORMED, f"column {min(missing)!r} is missing")


def _labels(name: str, column: pa.Array) -> Labels:
    """A null is the text of the row before."""
    if not column.null_count:
        encoded = column.dictionary_encode()
        return Labels(numbers_in(encoded.indices), encoded.dictionary.to_pylist())
    present = _presence(column)
    if not present[0]:
        raise BadMessageError(Reason.MALFORMED, f"column {name!r} begins with a null; its first row must have a text")
    encoded = column.drop_null().dictionary_encode()
    return Labels(numbers_in(encoded.indices)[np.cumsum(present) - 1], encoded.dictionary.to_pylist())


def _integers(name: str, column: pa.Array) -> NDArray[np.int64]:
    if column.null_count:
        raise BadMessageError(Reason.MALFORMED, f"column {name!r} has {column.null_count} nulls; it must have none")
    return numbers_in(column)


def _signals(kind: RowKind, columns: Mapping[str, Any], n: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values [n, S] with NaN for what is missing, and the rows [n] with a value that is there and impossible."""
    signals = SIGNALS[kind]
    values: NDArray[np.float64] = np.full((len(signals), n), np.nan)
    present = np.zeros((len(signals), n), dtype=np.bool_)
    for row, signal in enumerate(signals):
        column = columns.get(signal.name)
        if column is not None:
            there = present[row] = _presence(column) if column.null_count else True
            np.copyto(values[row], numbers_in(column), where=there)
    possible = (values >= 0) & (values <= _HIGH[kind])  # a NaN that is not a null fails both
    impossible: NDArray[np.bool_] = np.any(present & ~possible, axis=0)
    return values.T, impossible


def _presence(column: pa.Array) -> NDArray[np.bool_]:
    """Of a column that has nulls."""
    bitmap = np.frombuffer(column.buffers()[0], np.uint8)
    return np.unpackbits(bitmap, count=len(column), bitorder="little").view(np.bool_)


def _bad_ids(labels: Mapping[str, Labels]) -> NDArray[np.bool_]:
    """Rows whose workload id has not five parts, or with a key over 1 KiB."""
    workload = labels["workload"]
    bad = np.array([name.count("/") != 4 or name[0] == "/" for name in workload.names], dtype=np.bool_)[workload.codes]
    for column in labels.values():
        if max(map(len, column.names), default=0) > MAX_ID_BYTES // 4:  # a character has four bytes at most
            bad |= np.array([len(name.encode()) > MAX_ID_BYTES for name in column.names])[column.codes]
    return bad


def _without(faults: Mapping[Reason, NDArray[np.bool_]], frame: TelemetryFrame) -> TelemetryFrame:
    """The frame without the faulty rows. A row with several faults counts under the first."""
    bad = np.zeros(len(frame), dtype=np.bool_)
    rejected: dict[Reason, NDArray[np.intp]] = {}
    for reason, rows in faults.items():
        fresh = np.flatnonzero(rows & ~bad)
        if len(fresh):
            rejected[reason] = fresh
            bad |= rows
    if not rejected:
        return frame
    good = ~bad
    return TelemetryFrame(
        frame.kind,
        {name: _used(column, good) for name, column in frame.keys.items()},
        frame.time_ms[good],
        frame.interval_ms[good],
        np.asfortranarray(frame.values[good]),
        rejected,
    )


def _used(column: Labels, good: NDArray[np.bool_]) -> Labels:
    """The column without the bad rows, and without the names that only they had."""
    used, codes = np.unique(column.codes[good], return_inverse=True)
    return Labels(codes.astype(np.int32), [column.names[code] for code in used])
