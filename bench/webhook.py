"""The webhook through TLS at a constant offered rate, alone on one core; VPA's admission controller beside it."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.report import Cell, Report
from bench.webhook_log import append, slab_messages, write_log
from deploy.services.cache import Cache
from deploy.services.kubernetes import KUBERNETES, KubernetesCluster
from deploy.services.process import Process, free_port
from deploy.services.vegeta import VEGETA
from deploy.services.vpa_admission import VPA_ADMISSION, VpaAdmission
from recommender.adapters.certificates import make
from stream.open import open_log
from stream.settings import LogSettings

WORKLOADS, RATES, PASSES, PASS_S, WARM_S = 100_000, (500, 3000), 5, 8, 2
_PODS = 300
"""Different reviews, asked for in turn: a third are lowered, a third raised, a third fit."""
_RENEWED_S = 5.0
_READY_S = 60.0
_CONNECTIONS = 16
_SERVER_CORE, _LOAD_CORE = "0", "1"
Row = dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Server:
    """Something that answers reviews. pid: of its process; ca: whom to believe."""

    name: str
    pid: int
    url: str
    ca: Path


def run(data: Path | None) -> Report:
    """Needs no data set; builds vegeta when it is missing. VPA is measured where it and its cluster are built."""
    cache = Cache.from_environment()
    cache.build(VEGETA, print)
    vegeta = cache.require(VEGETA) / "usr" / "bin" / "vegeta"
    with tempfile.TemporaryDirectory(prefix="sizewise-bench-") as place:
        folder = Path(place)
        settings = write_log(folder / "log.db", WORKLOADS)
        starts = [_start(folder, settings) for _ in range(3)]
        with ExitStack() as stack:
            server = stack.enter_context(_sizewise(folder, settings))
            targets = _targets(folder, server, [_review(i, None) for i in range(_PODS)])
            rows = [_measure(vegeta, server, targets, rate) for rate in RATES]
            with _renewing(settings):
                rows += [
                    _measure(vegeta, server, targets, rate, "all recommendations renewed every 5 s") for rate in RATES
                ]
        rows += _peer(cache, folder, vegeta)
    figures = {
        "webhook_p99_ms": float(rows[0]["p99 ms"] or 0),
        "webhook_3000_p99_ms": float(rows[1]["p99 ms"] or 0),
        "webhook_start_s": float(np.median([with_data for _, with_data in starts])),
        "webhook_first_answer_s": float(np.median([first for first, _ in starts])),
    }
    return Report(f"Reviews of pods through TLS, {WORKLOADS:,} workloads", figures, rows, _NOTES)


_NOTES = (
    f"{PASSES} passes of {PASS_S} s at each rate over {_CONNECTIONS} connections that stay open, the server on one core and "
    "vegeta on another; the median of the passes' quantiles. A review has 10 kB. cpu: of the server, per review.",
    "webhook_start_s: from starting the process to the first answer with a patch, median of 3; webhook_first_answer_s: to "
    "the first answer at all, which leaves the pod as it is.",
    "VPA has 3 VPAs, its own cluster beside it, and no audit trail; two thirds of our answers change a pod and are audited.",
)


def _measure(vegeta: Path, server: Server, targets: Path, rate: int, note: str = "") -> Row:
    _attack(vegeta, server, targets, rate, WARM_S)
    before_s = _cpu_s(server.pid)
    passes = [_attack(vegeta, server, targets, rate, PASS_S) for _ in range(PASSES)]
    cpu_s = (_cpu_s(server.pid) - before_s) / (PASSES * PASS_S * rate)
    if any(one["success"] < 1 for one in passes):
        raise RuntimeError(f"{server.name} failed reviews at {rate}/s: {passes[0]['status_codes']}")
    quantiles = {q: np.median([one["latencies"][key] / 1e6 for one in passes]) for q, key in _QUANTILES.items()}
    return {
        "server": f"{server.name}{f', {note}' if note else ''}",
        "reviews/s": rate,
        **{name: round(float(value), 2) for name, value in quantiles.items()},
        "cpu us": round(1e6 * cpu_s),
        "memory MB": round(_memory_bytes(server.pid) / 1e6),
    }


_QUANTILES = {"p50 ms": "50th", "p95 ms": "95th", "p99 ms": "99th", "max ms": "max"}


def _attack(vegeta: Path, server: Server, targets: Path, rate: int, seconds: int) -> Mapping[str, Any]:
    options = ("-format=json", "-http2=false", "-lazy=false", f"-root-certs={server.ca}", f"-targets={targets}")
    load = ("taskset", "-c", _LOAD_CORE, vegeta, "attack", *options, f"-connections={_CONNECTIONS}")
    limits = (f"-max-workers={4 * _CONNECTIONS}", f"-workers={_CONNECTIONS}", f"-rate={rate}", f"-duration={seconds}s")
    results = subprocess.run((*load, *limits), capture_output=True, check=True).stdout
    report = subprocess.run((vegeta, "report", "-type=json"), input=results, capture_output=True, check=True).stdout
    found: Mapping[str, Any] = json.loads(report)
    return found


def _start(folder: Path, settings: LogSettings) -> tuple[float, float]:
    """Seconds from the start of a process to its first answer, and to the first that has a patch."""
    began_s = time.monotonic()
    first_s = None
    with _started(folder, settings) as (process, server):
        while time.monotonic() - began_s < _READY_S and process.alive():
            answer = _ask(server, _review(0, None))
            first_s = first_s or (time.monotonic() - began_s if answer else None)
            if answer and b'"patch"' in answer and first_s:
                return first_s, time.monotonic() - began_s
            time.sleep(0.005)
    raise RuntimeError(f"the webhook did not answer with a patch in {_READY_S:.0f} s: {process.tail()}")


@contextmanager
def _sizewise(folder: Path, settings: LogSettings) -> Iterator[Server]:
    with _started(folder, settings) as (process, server):
        process.await_ready(lambda: b'"patch"' in (_ask(server, _review(0, None)) or b""), _READY_S)
        yield server


@contextmanager
def _started(folder: Path, settings: LogSettings) -> Iterator[tuple[Process, Server]]:
    made = make(["127.0.0.1"], 1, time.time())
    files = {"tls.crt": made.certificate, "tls.key": made.key, "ca.crt": made.authorities}
    for name, text in files.items():
        (folder / name).write_bytes(text)
    port = free_port()
    where = (f"--port={port}", f"--log={settings.location}", f"--state={folder}")
    pair = (f"--cert={folder / 'tls.crt'}", f"--key={folder / 'tls.key'}")
    command = ("taskset", "-c", _SERVER_CORE, sys.executable, "-m", "sizewise", "webhook", *where, *pair)
    process = Process("webhook", command, folder / "webhook.log")
    try:
        yield process, Server("sizewise", process.pid, f"https://127.0.0.1:{port}/mutate/apply", folder / "ca.crt")
    finally:
        process.stop(10.0)


@contextmanager
def _renewing(settings: LogSettings) -> Iterator[None]:
    """As a busy recommender does: every slab is written again, newer, again and again."""
    stop = threading.Event()
    messages = list(slab_messages(WORKLOADS, settings.partitions_made, later_ms=1000))

    def renew() -> None:
        os.sched_setaffinity(0, {int(_LOAD_CORE)})  # of this thread alone
        log = open_log(settings)
        while not stop.wait(_RENEWED_S):
            append(log, iter(messages))
        log.close()

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _peer(cache: Cache, folder: Path, vegeta: Path) -> Sequence[Row]:
    if not (cache.has(KUBERNETES) and cache.has(VPA_ADMISSION)):
        return [{"server": f"VPA {VPA_ADMISSION.version}: not run: {VPA_ADMISSION.how_to_build}"}]
    with ExitStack() as stack:
        cluster = KubernetesCluster(cache.require(KUBERNETES))
        stack.callback(cluster.close)
        vpa = VpaAdmission(cache.require(VPA_ADMISSION), cluster)
        stack.callback(vpa.close)
        target = {"cpu": "250m", "memory": "256Mi"}
        owners = [vpa.recommend("default", f"app-{n}", target) for n in range(3)]
        reviews = [_review(n, owner) for n, owner in enumerate(owners)]
        server = Server(f"VPA {VPA_ADMISSION.version}", vpa.process.pid, vpa.url, vpa.ca_file)
        subprocess.run(("taskset", "-acp", _SERVER_CORE, str(server.pid)), capture_output=True, check=True)
        _await_patch(server, reviews[0])
        targets = _targets(folder, server, reviews)
        return [_measure(vegeta, server, targets, rate) for rate in RATES]


def _await_patch(server: Server, review: bytes) -> None:
    """Until VPA has seen the pod's owners."""
    end_s = time.monotonic() + _READY_S
    while b'"patch"' not in (_ask(server, review) or b""):
        if time.monotonic() > end_s:
            raise RuntimeError(f"{server.name} gave no patch in {_READY_S:.0f} s")
        time.sleep(0.2)


def _targets(folder: Path, server: Server, reviews: Sequence[bytes]) -> Path:
    header = {"Content-Type": ["application/json"]}
    lines = [
        json.dumps({"method": "POST", "url": server.url, "header": header, "body": base64.b64encode(one).decode()})
        for one in reviews
    ]
    file = folder / f"{server.pid}.targets"
    file.write_text("\n".join(lines))
    return file


def _review(number: int, owner: Mapping[str, Any] | None) -> bytes:
    """The creation of a pod of Deployment app-N, in ns-0, ns-1, ... for us and in `default` for VPA; 10 kB."""
    name = f"app-{number}"
    replica_set = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{name}-5d4f8c7b9", "uid": "u"}
    controller = owner or replica_set | {"controller": True}
    sizes = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}}
    environment = [{"name": f"SETTING_{i}", "value": "x" * 100} for i in range(65)]
    container = {"name": "main", "image": "example.org/main:1", "resources": sizes, "env": environment}
    metadata = {
        "generateName": f"{name}-5d4f8c7b9-",
        "labels": {"app": name, "pod-template-hash": "5d4f8c7b9"},
        "annotations": {"example.org/kept": "yes"},
        "ownerReferences": [controller],
    }
    namespace = "default" if owner else f"ns-{number // 100}"
    kind, resource = (
        {"group": "", "version": "v1", key: what} for key, what in (("kind", "Pod"), ("resource", "pods"))
    )
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": kind,
        "resource": resource,
        "requestKind": kind,  # VPA's controller falls over a review without it, and without dryRun
        "requestResource": resource,
        "operation": "CREATE",
        "namespace": namespace,
        "dryRun": False,
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}},
    }
    return json.dumps({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}).encode()


def _ask(server: Server, review: bytes) -> bytes | None:
    """The answer; None when nobody answers."""
    request = urllib.request.Request(server.url, review, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=server.ca), timeout=5) as answer:
            body: bytes = answer.read()
    except OSError:
        return None
    return body


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
