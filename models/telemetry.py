"""A telemetry batch: many rows of one kind, as columns, from one producer."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import overload

from models.signals import RowKind

KEY_COLUMNS: dict[RowKind, tuple[str, ...]] = {
    "cpu": ("workload", "instance"),
    "gpu": ("workload", "instance", "gpu_uuid", "gpu_model", "mig_profile"),
}
"""Text columns that say whose row it is. `time_ms` and `interval_ms` (int64) follow them in every row."""


@dataclass(frozen=True, slots=True)
class Repeated(Sequence[str]):
    """A text column in which each of `values` stands in `lengths` rows that follow each other."""

    values: Sequence[str]
    lengths: Sequence[int]

    def __len__(self) -> int:
        return sum(self.lengths)

    @overload
    def __getitem__(self, row: int) -> str: ...

    @overload
    def __getitem__(self, row: slice) -> Sequence[str]: ...

    def __getitem__(self, row: int | slice) -> str | Sequence[str]:
        return self._listed()[row]

    def _listed(self) -> list[str]:
        return list(chain.from_iterable(map(repeat, self.values, self.lengths)))


@dataclass(frozen=True, slots=True)
class Packed(Sequence[float | None]):
    """A column of signals as Arrow has it. present: a bit per row, the lowest first, set where it has a value."""

    values: array[float]
    present: bytes

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, row: int) -> float | None: ...

    @overload
    def __getitem__(self, row: slice) -> Sequence[float | None]: ...

    def __getitem__(self, row: int | slice) -> float | Sequence[float | None] | None:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        row = range(len(self))[row]
        return self.values[row] if self.present[row >> 3] >> (row & 7) & 1 else None


@dataclass(frozen=True, slots=True)
class TelemetryBatch:
    """Rows as columns, all of one length. What a collector hands to the codec.

    keys:        text columns named by KEY_COLUMNS[kind]
    time_ms:     end of the span that a row describes, milliseconds since 1970 UTC
    interval_ms: length of that span; rates are means over it
    signals:     a column per signal that the producer can give; None where a row has no value
    """

    kind: RowKind
    keys: Mapping[str, Sequence[str]]
    time_ms: Sequence[int]
    interval_ms: Sequence[int]
    signals: Mapping[str, Sequence[float | None]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time_ms)
