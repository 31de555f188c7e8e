"""The exporter of sizewise's own metrics: `models.metrics.Meter` over prometheus_client, one registry per process."""

from __future__ import annotations

import logging
import platform
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from prometheus_client import (  # noqa: TID251 - this is the one exporter
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    start_http_server,
)

from models.metrics import METRICS, MetricSpec
from sizewise.process_settings import ProcessSettings

CONTENT_TYPE = CONTENT_TYPE_LATEST
log = logging.getLogger(__name__)


class MetricsPortError(Exception):
    """The metrics port cannot be listened on. The message names it and the mend."""


class PrometheusMeter:
    """Counts what stages report. Labels outside the declared ones raise ValueError, unknown names KeyError."""

    def __init__(self, specs: Sequence[MetricSpec] = METRICS) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._metrics: dict[str, Any] = {spec.name: self._declare(spec) for spec in specs}
        self._unset = {spec.name for spec in specs if _plain_gauge(spec)}
        self._lock = threading.Lock()
        self.gauge("sizewise_build_info", 1, version=version("sizewise"), python=platform.python_version())

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        self._series(name, labels).inc(amount)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self._series(name, labels).set(value)
        if name in self._unset:
            self._show(name)

    def observe(self, name: str, value: float, **labels: str) -> None:
        self._series(name, labels).observe(value)

    def exposition(self) -> bytes:
        """Everything, as Prometheus scrapes it (text format, CONTENT_TYPE)."""
        return generate_latest(self._registry)

    def listen(self, settings: ProcessSettings) -> None:
        """Serve /metrics on a port of its own until the process ends. Raises MetricsPortError."""
        host, port, client_ca = settings.metrics_host, settings.metrics_port, settings.metrics_tls_client_ca
        try:
            start_http_server(
                port,
                host,
                registry=self._registry,
                certfile=settings.metrics_tls_certificate or None,
                keyfile=settings.metrics_tls_key or None,
                client_cafile=client_ca or None,
                client_auth_required=bool(client_ca),
            )
        except OSError as error:
            raise MetricsPortError(
                f"cannot serve metrics on {host}:{port}: {error.strerror or error}; choose another --metrics-port, or see "
                "process.metrics_tls_certificate"
            ) from error
        scheme = "https" if settings.metrics_tls_certificate else "http"
        log.info("metrics at %s://%s:%d/metrics", scheme, host, port)

    def _declare(self, spec: MetricSpec) -> Any:
        if spec.kind == "histogram":
            return Histogram(spec.name, spec.help, spec.labels, registry=self._registry, buckets=spec.buckets)
        if spec.kind == "counter":
            return Counter(spec.name, spec.help, spec.labels, registry=self._registry)
        return Gauge(spec.name, spec.help, spec.labels, registry=None if _plain_gauge(spec) else self._registry)

    def _show(self, name: str) -> None:
        """From its first value on: until then a gauge would read 0, in roles that never set it for ever."""
        with self._lock:
            if name in self._unset:
                self._registry.register(self._metrics[name])
                self._unset.remove(name)

    def _series(self, name: str, labels: dict[str, str]) -> Any:
        metric = self._metrics[name]
        return metric.labels(**labels) if labels else metric


def _plain_gauge(spec: MetricSpec) -> bool:
    return spec.kind == "gauge" and not spec.labels
