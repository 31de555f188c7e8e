"""The exporter of sizewise's own metrics: `models.metrics.Meter` over prometheus_client, one registry per process."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterable
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

CONTENT_TYPE = CONTENT_TYPE_LATEST
log = logging.getLogger(__name__)


class MetricsPortError(Exception):
    """The metrics port cannot be listened on. The message names it and the mend."""


class PrometheusMeter:
    """Counts what stages report. Labels outside the declared ones raise ValueError, unknown names KeyError."""

    def __init__(self, specs: Iterable[MetricSpec] = METRICS) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._metrics: dict[str, Any] = {spec.name: self._declare(spec) for spec in specs}
        self.gauge("sizewise_build_info", 1, version=version("sizewise"), python=platform.python_version())

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        self._series(name, labels).inc(amount)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self._series(name, labels).set(value)

    def observe(self, name: str, value: float, **labels: str) -> None:
        self._series(name, labels).observe(value)

    def exposition(self) -> bytes:
        """Everything, as Prometheus scrapes it (text format, CONTENT_TYPE)."""
        return generate_latest(self._registry)

    def listen(self, host: str, port: int) -> None:
        """Serve /metrics on a port of its own until the process ends. Raises MetricsPortError."""
        try:
            start_http_server(port, host, registry=self._registry)
        except OSError as error:
            raise MetricsPortError(
                f"cannot serve metrics on {host}:{port}: {error.strerror}; choose another --metrics-port"
            ) from error
        log.info("metrics at http://%s:%d/metrics", host, port)

    def _declare(self, spec: MetricSpec) -> Any:
        if spec.kind == "histogram":
            return Histogram(spec.name, spec.help, spec.labels, registry=self._registry, buckets=spec.buckets)
        kind = Counter if spec.kind == "counter" else Gauge
        return kind(spec.name, spec.help, spec.labels, registry=self._registry)

    def _series(self, name: str, labels: dict[str, str]) -> Any:
        metric = self._metrics[name]
        return metric.labels(**labels) if labels else metric
