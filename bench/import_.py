"""Two weeks of history from a real Prometheus to a full report, and the same server answering KRR's questions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench.import_history import DAYS, WORKLOADS, deployment, fill, made_up, namespace
from bench.peers import krr
from bench.report import Cell, MissingDataError, Report
from deploy.services.cache import Cache
from deploy.services.prometheus import PROMETHEUS, PrometheusServer
from deploy.services.service import ServiceError
from profiler.settings import ProfilerSettings
from recommender.settings import RecommenderSettings
from stream.contract import EventLog
from stream.open import open_log
from stream.settings import LogSettings
from stream.streams import PROFILES, TELEMETRY

_POLL_S = 0.1
_TOO_LONG_S = 900.0
_GROUPS = {TELEMETRY: ProfilerSettings().group, PROFILES: RecommenderSettings().group}
_QUICK = {"SIZEWISE_PROFILER__COMMIT_INTERVAL_S": "2", "SIZEWISE_RECOMMENDER__CONSUME__COMMIT_INTERVAL_S": "2"}
"""The intervals of `sizewise up`; a cluster's five seconds would be waited for and not worked in."""


@dataclass(frozen=True, slots=True)
class Run:
    """wall_s: from the start of the command to the printed report; the rest: highest resident memory, MiB, and CPU
    seconds of the import and of the stages behind it, and of the server"""

    wall_s: float
    import_mib: float
    import_cpu_s: float
    stages_cpu_s: float
    server_mib: float
    server_cpu_s: float
    workloads: int


def run(data: Path | None) -> Report:
    try:
        home = Cache.from_environment().require(PROMETHEUS)
    except ServiceError as error:
        raise MissingDataError(str(error)) from error
    server = PrometheusServer(home)
    try:
        end_s = _prepare(server)
        peer, peer_mib, peer_cpu_s = _krr(server, end_s)
        every = _sizewise(server, end_s, ())
        windows = _sizewise(server, end_s, ("--step", "5m"))
    finally:
        server.close()
    return _report(every, windows, peer, peer_mib, peer_cpu_s)


def _prepare(server: PrometheusServer) -> int:
    """Fill the server and wait until it has compacted its blocks to what a server that grew old would have. It begins a
    minute after its start; a query over 14 days costs half as much then as over 336 blocks of an hour or two."""
    server.stop()
    history = made_up(time.time())
    fill(server, history, lambda line: click.echo(f"  history: {line}", err=True))
    server.start()
    deadline, before = time.monotonic() + _TOO_LONG_S, -1.0
    while (now := _cpu_s(server.pid)) - before > 0.2 or len(list(server.data.glob("*/meta.json"))) > DAYS * 2:
        if time.monotonic() > deadline:
            raise RuntimeError("the server does not compact its blocks")
        before = now
        time.sleep(3)
    return history.end_s


def _krr(server: PrometheusServer, end_s: int) -> tuple[krr.Asked, float, float]:
    _restart(server)
    objects = [krr.Object(namespace(workload), deployment(workload), "main") for workload in range(WORKLOADS)]
    began_s = _cpu_s(server.pid)
    asked = krr.ask(server.url, objects, end_s)
    return asked, _peak_mib(server.pid), _cpu_s(server.pid) - began_s


def _sizewise(server: PrometheusServer, end_s: int, options: Sequence[str]) -> Run:
    """The import with a profiler and a recommender that wait for it, as they do beside `sizewise up`."""
    _restart(server)
    with tempfile.TemporaryDirectory(prefix="sizewise-bench-") as folder:
        environment = os.environ | _QUICK | {"SIZEWISE_STATE": folder}
        stages = [_start(environment, stage) for stage in ("profile", "recommend")]
        try:
            _wait(lambda: (Path(folder) / "sizewise.db").exists(), stages)
            began_s, server_cpu_s = time.perf_counter(), _cpu_s(server.pid)
            since = f"{round(time.time() - end_s) + DAYS * 86_400}s"
            importing = _start(environment, "import", "prometheus", "--url", server.url, "--since", since, *options)
            import_mib, import_cpu_s = _ended(importing)
            log = open_log(LogSettings(location=f"sqlite:{folder}/sizewise.db"))
            _wait(lambda: _through(log), stages)
            workloads = _reported(environment, end_s)
            wall_s = time.perf_counter() - began_s
            log.close()
            return Run(
                wall_s,
                import_mib,
                import_cpu_s,
                sum(_cpu_s(stage.pid) for stage in stages),
                _peak_mib(server.pid),
                _cpu_s(server.pid) - server_cpu_s,
                workloads,
            )
        finally:
            for stage in stages:
                stage.terminate()
                stage.wait()


def _start(environment: Mapping[str, str], *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "sizewise", *words], env=environment)


def _ended(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Its highest resident memory in MiB and its CPU seconds. Raises RuntimeError when it failed.

    What `wait4` says of memory is the highest of this process before, which the new one came out of."""
    pid = peak_mib = 0.0
    while not pid:
        with suppress(AssertionError):  # it has ended, and its memory is gone
            peak_mib = _peak_mib(process.pid)
        time.sleep(_POLL_S / 2)
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the import ended with {process.returncode}")
    return peak_mib, used.ru_utime + used.ru_stime


def _through(log: EventLog) -> bool:
    """Whether every message is profiled and every profile answered."""
    for stream, group in _GROUPS.items():
        done = log.committed(group, stream)
        if any(done.get(partition, 0) < end for partition, (_, end) in log.offsets(stream).items() if end):
            return False
    return True


def _reported(environment: Mapping[str, str], end_s: int) -> int:
    """Print the report; how many workloads in it rest on history up to the end. Raises RuntimeError when not all do."""
    command = [sys.executable, "-m", "sizewise", "report", "--limit", str(WORKLOADS), "-o", "json"]
    page = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    newest = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(end_s))
    whole = sum(_is_whole(workload, newest) for workload in page["workloads"])
    if whole < WORKLOADS:
        raise RuntimeError(f"{whole} of {WORKLOADS} workloads are in the report with history up to {newest}")
    return whole


def _is_whole(workload: Mapping[str, Any], newest: str) -> bool:
    """Whether it has been seen up to the end and recommended for."""
    return workload["last_seen"].startswith(newest) and workload["confidence_ratio"] is not None


def _restart(server: PrometheusServer) -> None:
    """Memory peaks of one measurement must not be another's. Blocks are mapped and warm in both."""
    server.stop()
    server.start()


def _wait(true: Callable[[], bool], stages: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + _TOO_LONG_S
    while not true():
        if time.monotonic() > deadline or any(stage.poll() is not None for stage in stages):
            raise RuntimeError("a stage ended, or took too long")
        time.sleep(_POLL_S)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mib(pid: int) -> float:
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1]) / 1024


def _report(every: Run, windows: Run, peer: krr.Asked, peer_mib: float, peer_cpu_s: float) -> Report:
    rows: list[Mapping[str, Cell]] = [
        _row("sizewise, every sample (a minute)", every),
        _row("sizewise, --step 5m", windows),
        {
            "what": f"KRR's {peer.queries:,} queries, {krr.WORKERS} at once",
            "wall s": peer.wall_s,
            "server CPU s": peer_cpu_s,
            "server MiB": peer_mib,
            "workloads": peer.answered,
        },
    ]
    figures = {
        "import_wall_s": every.wall_s,
        "import_peak_mib": max(every.import_mib, windows.import_mib),
        "import_speedup_vs_krr": peer.wall_s / every.wall_s,
        "import_speedup_vs_krr_5m": peer.wall_s / windows.wall_s,
        "import_server_cpu_vs_krr": peer_cpu_s / every.server_cpu_s,
        "prometheus_peak_mib": max(every.server_mib, windows.server_mib),
        "prometheus_peak_ratio": max(every.server_mib, windows.server_mib) / peer_mib,
    }
    notes = (
        "sizewise: from the command to the printed report, through outbox, log, profiler and recommender. All samples are",
        "fetched either way; of a window CPU is the mean, as its counters tell it, and memory the highest sample.",
        "KRR: until its last answer is read; its own arithmetic, the Kubernetes API and its report are not counted.",
        "The server is started anew before each; its memory is the highest resident of that start. Its blocks are compacted.",
    )
    return Report(f"{WORKLOADS:,} workloads, {DAYS} days, a sample a minute, on one machine", figures, rows, notes)


def _row(what: str, run: Run) -> Mapping[str, Cell]:
    return {
        "what": what,
        "wall s": run.wall_s,
        "import CPU s": run.import_cpu_s,
        "stages CPU s": run.stages_cpu_s,
        "import MiB": run.import_mib,
        "server CPU s": run.server_cpu_s,
        "server MiB": run.server_mib,
        "workloads": run.workloads,
    }
