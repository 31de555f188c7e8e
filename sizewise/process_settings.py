"""Settings of every process, whatever its role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    metrics_host: str = "127.0.0.1"
    """Address that --metrics-port listens on. No token is asked there, so another than loopback needs client certificates
    (metrics_tls_client_ca) or insecure_anyone_may_read_metrics."""

    metrics_port: int = 0
    """Port of /metrics; 0: none. `serve` and `up` have /metrics on the API port as well."""

    metrics_tls_certificate: str = ""
    """PEM file of the certificate of the metrics port, with its chain; empty: plain HTTP. Read at the start."""

    metrics_tls_key: str = ""
    """PEM file of its private key."""

    metrics_tls_client_ca: str = ""
    """PEM file of the authority whose clients may read; nobody else may. Prometheus shows its own by tls_config."""

    insecure_anyone_may_read_metrics: bool = False
    """Let whoever reaches metrics_host read. They are counters of this process, without a name of a workload or node."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe message that goes to standard error."""

    restart_backoff_s: float = 1.0
    """Wait before a stage that died starts again; doubles with each death in a row."""

    restart_backoff_max_s: float = 30.0
    """Longest such wait. A log that was away for an hour is back in use within half a minute."""

    def __post_init__(self) -> None:
        if not 0 <= self.metrics_port <= 65535:
            raise ValueError(f"metrics_port is {self.metrics_port}; a port is 0 to 65535")
        self._check_metrics()
        if not 0 < self.restart_backoff_s <= self.restart_backoff_max_s:
            raise ValueError(
                f"restart_backoff_s is {self.restart_backoff_s}; it must be above 0 and at most "
                f"restart_backoff_max_s ({self.restart_backoff_max_s})"
            )

    def _check_metrics(self) -> None:
        if bool(self.metrics_tls_certificate) != bool(self.metrics_tls_key):
            raise ValueError(
                f"metrics_tls_certificate is {self.metrics_tls_certificate!r} and metrics_tls_key is "
                f"{self.metrics_tls_key!r}; give both, or neither"
            )
        if self.metrics_tls_client_ca and not self.metrics_tls_certificate:
            raise ValueError("metrics_tls_client_ca needs metrics_tls_certificate and metrics_tls_key")
        open_to_others = self.metrics_port and self.metrics_host not in LOOPBACK and not self.metrics_tls_client_ca
        if open_to_others and not self.insecure_anyone_may_read_metrics:
            raise ValueError(
                f"metrics_host is {self.metrics_host!r}, which others can reach, and nobody is asked who they are: set "
                "metrics_tls_certificate, metrics_tls_key and metrics_tls_client_ca, or say "
                "insecure_anyone_may_read_metrics = true"
            )
