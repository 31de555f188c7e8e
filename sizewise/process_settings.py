"""Settings of every process, whatever its role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    metrics_host: str = "127.0.0.1"
    """Address that --metrics-port listens on. Loopback, because metrics need no token; a pod sets its own address."""

    metrics_port: int = 0
    """Port of /metrics; 0: none. `serve` and `up` have /metrics on the API port as well."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe message that goes to standard error."""

    restart_backoff_s: float = 1.0
    """Wait before a stage that died starts again; doubles with each death in a row."""

    restart_backoff_max_s: float = 30.0
    """Longest such wait. A log that was away for an hour is back in use within half a minute."""

    def __post_init__(self) -> None:
        if not 0 <= self.metrics_port <= 65535:
            raise ValueError(f"metrics_port is {self.metrics_port}; a port is 0 to 65535")
        if not 0 < self.restart_backoff_s <= self.restart_backoff_max_s:
            raise ValueError(
                f"restart_backoff_s is {self.restart_backoff_s}; it must be above 0 and at most "
                f"restart_backoff_max_s ({self.restart_backoff_max_s})"
            )
