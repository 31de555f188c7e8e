"""What a source owes the collector: one reading when asked, at the moment it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from models.events import WorkloadEvent
from models.inventory import Node
from models.telemetry import TelemetryBatch


class SourceError(Exception):
    """A source that cannot be read now. The message names the file or service and the mend."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on two clocks.

    wall_ms:   milliseconds since 1970 UTC; stamps rows and events. Operators and NTP may step it.
    steady_ms: milliseconds since boot, suspends included; never steps, and survives a restart of the collector.
               Spans are measured on it.
    """

    wall_ms: int
    steady_ms: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What one read of a source found. `node` is None when the source knows nothing of the node itself."""

    batches: Sequence[TelemetryBatch] = ()
    events: Sequence[WorkloadEvent] = ()
    node: Node | None = None


class Stop(Protocol):
    """The two methods of threading.Event by which a loop is told to end."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


class Source(Protocol):
    """One thing that telemetry comes from. Read by one thread."""

    name: str

    def read(self, now: Moment) -> Reading:
        """Everything since the read before. Raises SourceError (or OSError) when nothing could be read: the collector
        counts it, goes on with the other sources and asks again after a pause."""

    def state(self) -> bytes:
        """What must be remembered so that a restarted collector goes on from the newest read: counter baselines.
        Called right after a read, saved in the transaction that saves its rows."""

    def restore(self, state: bytes, now: Moment) -> None:
        """Take `state()` of an earlier process over, before the first read. Unusable state is ignored."""

    def close(self) -> None: ...
