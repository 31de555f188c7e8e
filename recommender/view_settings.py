"""Settings of the in-memory view behind the API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ViewSettings:
    publish_interval_ms: int = 250
    """Shortest time between two snapshots. Joining 100,000 rows takes about 20 ms, so a snapshot per message
    would keep a core busy while a large log is read for the first time."""

    events_kept: int = 1000
    """Newest events that the view holds, over all workloads. 1,000 take under 1 MB."""

    retry_backoff_ms: int = 1000
    """Wait before the log is asked again after it was away. The view goes on answering from what it has."""

    def __post_init__(self) -> None:
        for name in ("publish_interval_ms", "events_kept", "retry_backoff_ms"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
