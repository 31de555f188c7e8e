"""Remote-write received: samples per second of processor time, from HTTP to rows in the log, beside real Prometheus."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.remote_write_load import SHAPE, STEP_MS, Cluster
from bench.report import Cell, Report
from deploy.services.cache import Cache
from deploy.services.process import free_port
from deploy.services.prometheus import PROMETHEUS, PrometheusServer
from deploy.services.prometheus3 import PROMETHEUS3
from deploy.services.service import Service, ServiceError

CONTAINERS = 4_000
WARM_SCRAPES, SCRAPES = 2, 40
"""The first scrapes make the series known, as once a pod's life; they are not measured."""
_DRAIN_S = 120.0
_TYPES = {1: "application/x-protobuf", 2: "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
_VERSIONS = {1: "0.1.0", 2: "2.0.0"}

Row = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Figures:
    """samples_per_cpu_s: of all processor time of the process, until the last row is in the log; samples_per_s: by the
    clock while requests were answered one after another; memory_mb: most resident."""

    samples_per_cpu_s: float
    samples_per_s: float
    memory_mb: float


def run(data: Path | None) -> Report:
    """Needs no data set: what a sample costs does not depend on its value."""
    ours = {version: ours_figures(version) for version in (1, 2)}
    rows = [_row(f"sizewise collect --listen, remote-write {version}.0", figures) for version, figures in ours.items()]
    peers = [(PROMETHEUS, 1), (PROMETHEUS3, 1), (PROMETHEUS3, 2)]
    figures = {
        "remote_write_samples_per_s": ours[1].samples_per_cpu_s,
        "remote_write_2_samples_per_s": ours[2].samples_per_cpu_s,
        "listen_rss_mb": max(measured.memory_mb for measured in ours.values()),
    }
    return Report(
        "Remote-write received",
        figures,
        [*rows, *(_peer(service, version) for service, version in peers)],
        (
            SHAPE,
            f"{CONTAINERS:,} containers, {SCRAPES} scrapes, {CONTAINERS * 10 * SCRAPES:,} samples, sent over one "
            "connection by another process.",
            "Per second of processor time of the whole receiving process: for sizewise HTTP, decoding, journal, rates, "
            "rows, outbox and SQLite log; for Prometheus HTTP, decoding, its head and write-ahead log, garbage collection.",
        ),
    )


def ours_figures(version: int) -> Figures:
    """The real command in a process of its own, until all rows are in its log."""
    with tempfile.TemporaryDirectory() as state:
        port, metrics = free_port(), free_port()
        command = [sys.executable, "-m", "sizewise", "collect", "--no-machine", "--state", state]
        command += ["--listen", f"127.0.0.1:{port}", "--metrics-port", str(metrics), "--cluster", "bench"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            _await(lambda: _ready(port), 30)
            rows = CONTAINERS * (WARM_SCRAPES + SCRAPES - 1)
            return _measured(process.pid, port, version, lambda: _drained(metrics, rows))
        finally:
            process.terminate()
            process.wait()


def peer_figures(service: Service, version: int) -> Figures:
    """Raises ServiceError when the service is not built."""
    home = Cache.from_environment().require(service)
    flags = ["--web.enable-remote-write-receiver"]
    if service is PROMETHEUS3:
        flags.append("--web.remote-write-receiver.accepted-protobuf-messages=prometheus.WriteRequest")
        flags.append("--web.remote-write-receiver.accepted-protobuf-messages=io.prometheus.write.v2.Request")
    server = PrometheusServer(home, flags=flags)
    try:
        return _measured(server.pid, int(server.url.rpartition(":")[2]), version, lambda: True)
    finally:
        server.close()


def _measured(pid: int, port: int, version: int, drained: Callable[[], bool]) -> Figures:
    process = psutil.Process(pid)
    start_ms = round(time.time() * 1000) - (WARM_SCRAPES + SCRAPES) * STEP_MS
    cluster = Cluster(CONTAINERS, version, start_ms)
    with _connected(port, version) as push:
        for scrape in range(WARM_SCRAPES):
            push(cluster.bodies(scrape))
        before, wall_s = _cpu_s(process), 0.0
        for scrape in range(WARM_SCRAPES, WARM_SCRAPES + SCRAPES):
            bodies = cluster.bodies(scrape)
            began_s = time.perf_counter()
            push(bodies)
            wall_s += time.perf_counter() - began_s
    _await(drained, _DRAIN_S)
    samples = cluster.samples_per_scrape * SCRAPES
    return Figures(samples / (_cpu_s(process) - before), samples / wall_s, _peak_mb(pid))


@contextmanager
def _connected(port: int, version: int) -> Iterator[Callable[[Sequence[bytes]], None]]:
    """What sends bodies and checks that each was taken."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {
        "Content-Type": _TYPES[version],
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": _VERSIONS[version],
    }

    def push(bodies: Sequence[bytes]) -> None:
        for body in bodies:
            connection.request("POST", "/api/v1/write", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 204:
                raise RuntimeError(f"the receiver answered {answer.status}: {text[:300]!r}")

    try:
        yield push
    finally:
        connection.close()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) * 1024 / 1e6  # type: ignore[index]  # Linux always says it


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1):
            return True
    except OSError:
        return False


def _drained(port: int, rows: int) -> bool:
    """Whether all rows were made and the log has confirmed them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    made = re.search(r'sizewise_collector_rows_total\{source="listen"\} (\S+)', text)
    waiting = re.search(r"^sizewise_outbox_messages (\S+)", text, re.MULTILINE)
    sent = re.search(r'sizewise_outbox_sent_messages_total\{stream="telemetry"\} (\S+)', text)
    return bool(made and waiting and sent and float(made[1]) >= rows and not float(waiting[1]))


def _await(done: Callable[[], bool], timeout_s: float) -> None:
    until_s = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > until_s:
            raise RuntimeError(f"the receiver was not done within {timeout_s:.0f} s")
        time.sleep(0.5)


def _peer(service: Service, version: int) -> Row:
    what = f"Prometheus ({service}), --web.enable-remote-write-receiver, remote-write {version}.0"
    try:
        return _row(what, peer_figures(service, version))
    except ServiceError as error:
        return {"what": f"{what}: not run: {error}"}


def _row(what: str, measured: Figures) -> Row:
    return {
        "what": what,
        "samples per CPU s": measured.samples_per_cpu_s,
        "samples/s by the clock": measured.samples_per_s,
        "peak MB": measured.memory_mb,
    }
