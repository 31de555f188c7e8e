"""An intake with a clock of its own, and its rows as plain mappings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from collector.listen.intake import Intake, Receipt
from collector.listen.journal import Journal
from collector.listen_settings import ListenSettings
from models.events import WorkloadEvent
from models.metrics import Meter, NullMeter
from models.signals import RowKind
from models.telemetry import TelemetryBatch
from tests.collector.listen.bodies import Sent, body_1, body_2

T0 = 1_700_000_000_000
Row = dict[str, object]


class Box:
    """`saved` is what an outbox would hold."""

    def __init__(self, folder: Path, settings: ListenSettings | None = None, meter: Meter | None = None) -> None:
        self.folder, self.now_ms = folder, T0
        self.settings, self.meter = settings or ListenSettings(), meter or NullMeter()
        self.saved = b""
        self.room = True
        self.events: list[WorkloadEvent] = []
        self.start()

    def start(self) -> None:
        """A new process in the same folder."""
        journal = Journal(self.folder / "outbox.db")
        clock = lambda: self.now_ms  # noqa: E731  # bound late: tests move it
        self.intake = Intake(self.settings, "prod", self.meter, clock, journal, lambda: self.room)
        self.intake.restore(self.saved)

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *error: object) -> None:
        self.intake.close()

    def push(self, series: Iterable[Sent], version: int = 1, sender: str = "10.0.0.9") -> Receipt:
        body = body_1(series) if version == 1 else body_2(series)
        return self.intake.write(f"remote-write-{version}", body, sender)

    def rows(self, kind: RowKind = "cpu") -> list[Row]:
        """What one reading gives, saved at once."""
        made = self.intake.rows(self.saved)
        self.saved = self.intake.state()
        self.events += made.events
        return plain(made.batches, kind)

    def settled(self, kind: RowKind = "cpu") -> list[Row]:
        """What two readings give: nothing waits for siblings any more."""
        return [*self.rows(kind), *self.rows(kind)]


def plain(batches: Iterable[TelemetryBatch], kind: RowKind) -> list[Row]:
    """Rows with the signals that they have, by time."""
    made: list[Row] = []
    for batch in batches:
        for i in range(len(batch) if batch.kind == kind else 0):
            keys = {name: column[i] for name, column in batch.keys.items()}
            signals = {name: column[i] for name, column in batch.signals.items() if column[i] is not None}
            made.append({**keys, "time_ms": batch.time_ms[i], "interval_ms": batch.interval_ms[i], **signals})
    return sorted(made, key=lambda row: (str(row["workload"]), str(row["instance"]), int(str(row["time_ms"]))))


def column(rows: Iterable[Row], name: str) -> list[object]:
    return [row.get(name) for row in rows]
