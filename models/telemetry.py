"""A telemetry batch: many rows of one kind, as columns, from one producer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.signals import RowKind

KEY_COLUMNS: dict[RowKind, tuple[str, ...]] = {
    "cpu": ("workload", "instance"),
    "gpu": ("workload", "instance", "gpu_uuid", "gpu_model", "mig_profile"),
}
"""Text columns that say whose row it is. `time_ms` and `interval_ms` (int64) follow them in every row."""


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
