"""Real senders against the real receiver: Prometheus 2 and 3, and the OpenTelemetry SDK, until rows are in the log."""

from __future__ import annotations

import re
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from collector.listen.server import Connections
from collector.listen.source import listening
from collector.listen_settings import ListenSettings
from collector.run import collect
from collector.settings import CollectorSettings
from deploy.services.process import free_port
from deploy.services.prometheus import PrometheusServer
from models.metrics import NullMeter
from stream.contract import EventLog
from stream.open import open_log
from stream.settings import LogSettings
from stream.streams import TELEMETRY, stream_specs
from stream.telemetry_decoder import decode_telemetry
from tests.collector.listen.box import Row
from tests.collector.listen.test_rows import POD
from tests.roles import until

CONFIG = """
global: {{scrape_interval: 1s, external_labels: {{cluster: prod}}}}
scrape_configs:
- job_name: kubelet
  static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
remote_write:
- url: http://127.0.0.1:{port}/api/v1/write
  protobuf_message: {message}
  queue_config: {{batch_send_deadline: 200ms, min_backoff: 100ms, max_backoff: 500ms}}
"""
LABELS = f'namespace="shop",pod="{POD}",container="app"'
_WAIT_S = 60.0


class Exposition(BaseHTTPRequestHandler):
    """Two cores, exactly: the counter is twice the time that the sample says it is of."""

    def do_GET(self) -> None:
        now_ms = round(time.time() * 1000)
        text = (
            f"container_cpu_usage_seconds_total{{{LABELS}}} {now_ms / 500} {now_ms}\n"
            f"container_memory_working_set_bytes{{{LABELS}}} 5e8 {now_ms}\n"
            f"container_memory_rss{{{LABELS}}} 0 {now_ms}\n"
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def exposed() -> Iterator[int]:
    """The port of an exporter."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Exposition)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def collecting(folder: Path, port: int) -> Iterator[EventLog]:
    """A collector that listens, and its log."""
    log = open_log(LogSettings(location=f"sqlite:{folder / 'log.db'}", partitions=2))
    log.ensure(stream_specs(2))
    settings = CollectorSettings(
        interval_s=0.1,
        flush_interval_s=0.2,
        outbox=str(folder / "outbox.db"),
        listen=ListenSettings(address=f"127.0.0.1:{port}", settle_s=0.5),
    )
    stop, meter = threading.Event(), NullMeter()
    arguments = {"sources": [], "pushed": listening(settings, meter, Connections())}
    thread = threading.Thread(target=collect, args=(lambda: log, settings, meter, stop), kwargs=arguments)
    thread.start()
    try:
        yield log
    finally:
        stop.set()
        thread.join()
        log.close()


def rows_of(log: EventLog, enough: int) -> list[Row]:
    """The rows in the log, once there are enough of them."""
    until_s = time.monotonic() + _WAIT_S
    while True:
        reader, rows = log.reader(TELEMETRY), list[Row]()
        while not reader.caught_up() or not rows:
            records = reader.poll(0.2)
            for record in records:
                frame = decode_telemetry(record, round(time.time() * 1000))
                assert not frame.rejected
                rows += _plain(frame)
            if not records and reader.caught_up():
                break
        reader.close()
        if len(rows) >= enough:
            return rows
        assert time.monotonic() < until_s, f"{len(rows)} rows after {_WAIT_S} s"
        time.sleep(0.2)


def _plain(frame) -> list[Row]:  # type: ignore[no-untyped-def]
    return [
        {
            "workload": frame.workload[i],
            "interval_ms": int(frame.interval_ms[i]),
            "time_ms": int(frame.time_ms[i]),
            "cpu_cores": float(frame.values[i, 0]),
            "memory_working_set_bytes": float(frame.values[i, 5]),
            "memory_rss_bytes": float(frame.values[i, 6]),
        }
        for i in range(len(frame))
    ]


def retried(prometheus: str) -> float:
    """How many samples it tried to push and kept, because nobody took them."""
    with urllib.request.urlopen(f"{prometheus}/metrics", timeout=5) as answer:
        found = re.findall(r"^prometheus_remote_storage_samples_retried_total\S* (\S+)$", answer.read().decode(), re.M)
    return sum(map(float, found))


@pytest.mark.parametrize(
    ("home", "message"),
    [
        ("prometheus_home", "prometheus.WriteRequest"),
        ("prometheus3_home", "prometheus.WriteRequest"),
        ("prometheus3_home", "io.prometheus.write.v2.Request"),
    ],
)
def test_prometheus_pushes_into_the_log(
    tmp_path: Path, request: pytest.FixtureRequest, home: str, message: str
) -> None:
    """It scrapes two cores and half a gigabyte each second, and pushes; the receiver is away at first. Each second is
    in the log once, from the first that Prometheus saw."""
    port = free_port()
    with exposed() as target:
        config = CONFIG.format(target=target, port=port, message=message)
        if home == "prometheus_home":
            config = config.replace(f"  protobuf_message: {message}\n", "")  # a 2.x knows one version alone
        server = PrometheusServer(request.getfixturevalue(home), config=config)
        try:
            until(lambda: retried(server.url) > 0)
            with collecting(tmp_path, port) as log:
                rows = sorted(rows_of(log, 4), key=lambda row: int(str(row["time_ms"])))
        finally:
            server.close()
    assert {row["workload"] for row in rows} == {"prod/shop/Deployment/web/app"}
    assert [row["cpu_cores"] for row in rows] == pytest.approx([2.0] * len(rows), rel=1e-6)
    assert {(row["memory_working_set_bytes"], row["memory_rss_bytes"]) for row in rows} == {(5e8, 0.0)}
    starts = [int(str(row["time_ms"])) - int(str(row["interval_ms"])) for row in rows]
    assert starts[1:] == [row["time_ms"] for row in rows[:-1]], "each second once, none left out"


def test_the_opentelemetry_sdk_pushes_into_the_log(tmp_path: Path) -> None:
    """Its OTLP/HTTP exporter, with the attributes that name a container; a gauge each 100 ms."""
    port = free_port()
    attributes = {
        "k8s.namespace.name": "shop",
        "k8s.pod.name": POD,
        "k8s.container.name": "app",
        "k8s.cluster.name": "prod",
    }
    with collecting(tmp_path, port) as log:
        exporter = OTLPMetricExporter(f"http://127.0.0.1:{port}/v1/metrics")
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=100)
        provider = MeterProvider([reader], Resource(attributes))
        gauge = provider.get_meter("test").create_gauge("container.memory.working_set")
        set_until(lambda: gauge.set(5e8), 1.5)
        rows = rows_of(log, 3)
        provider.shutdown()
    assert {row["workload"] for row in rows} == {"prod/shop/Deployment/web/app"}
    assert {row["memory_working_set_bytes"] for row in rows} == {5e8}


def set_until(act: Callable[[], None], seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        act()
        time.sleep(0.05)
