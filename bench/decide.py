"""POST /v1/recommend over 1,500 candidate nodes: time of one answer through the real HTTP server, on one core."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import uvicorn

from bench.place_api import made_up_node
from bench.report import Cell, Report
from models.columns import Columns, empty_arrays
from models.hardware.discovery import code_of
from models.metrics import NullMeter
from models.peak16 import to_peak16
from models.profile import GPU_SIGNALS_KEPT, PROFILE_FIELDS
from models.reasons import Action
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.api.app import create_app
from recommender.api.settings import ApiSettings
from recommender.view import Slab, Snapshot, View, join
from sizewise.cycles import settle
from stream.columns_codec import encode_columns

NODES, QUESTIONS, WORKLOADS, SLAB = 1500, 400, 10_000, 256
_GIB = 2**30
_A100 = "NVIDIA A100-SXM4-80GB"
_SEEN = {
    "gpu_utilization_ratio": 0.3,
    "memory_copy_utilization_ratio": 0.1,
    "power_watts": 150.0,
    "power_limit_watts": 400.0,
}
_NEW = {
    "image": "ghcr.io/acme/bert:1.4",
    "command": ["python", "train.py"],
    "kind": "Job",
    "name": "bert-new",
    "cluster": "c",
}


def run(data: Path | None) -> Report:
    """Needs no data set: fleet and inventory are made up."""
    names = [f"n{i}" for i in range(NODES)]
    job = {"cluster": "c", "nodes": names, "cpu_cores": 8, "memory_bytes": 32 * _GIB}
    asked: Mapping[str, Mapping[str, Any]] = {
        "own history, one GPU": job | {"workload": _id(3), "gpus": 1, "gpu_models": ["A100-SXM-80"]},
        "own history, CPU only": job | {"workload": _id(3)},
        "no history, one GPU": job | _NEW | {"gpus": 1},
        "own history, gang of 8 GPUs": job | {"workload": _id(3), "gpus": 8, "members": 4},
    }
    with _served() as (port, process):
        rows = [_row(name, *_timed(port, process, body)) for name, body in asked.items()]
    p99 = [float(row["p99 ms"] or 0) for row in rows]
    note = (
        f"{QUESTIONS} questions each over {NODES} candidate nodes by name, {WORKLOADS} workloads in the view; validation, "
        "JSON and HTTP on a kept connection included; the server on a core of its own where there are two."
    )
    return Report(
        "A decision through the API", {"decide_p99_ms": p99[0], "decide_worst_p99_ms": max(p99)}, rows, (note,)
    )


def _timed(port: int, process: psutil.Process, body: Mapping[str, Any]) -> tuple[list[float], float]:
    """(wall seconds of each question, CPU seconds of the server for one)."""
    connection, content = http.client.HTTPConnection("127.0.0.1", port, timeout=60), json.dumps(body).encode()
    for _ in range(20):
        _ask(connection, content)
    before, found = sum(process.cpu_times()[:2]), []
    for _ in range(QUESTIONS):
        began = time.perf_counter()
        _ask(connection, content)
        found.append(time.perf_counter() - began)
    used = sum(process.cpu_times()[:2]) - before
    connection.close()
    return found, used / QUESTIONS


def _ask(connection: http.client.HTTPConnection, content: bytes) -> None:
    connection.request("POST", "/v1/recommend", content, {"Content-Type": "application/json", "Host": "localhost"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"/v1/recommend answered {answer.status}: {text[:500]!r}")


def _row(name: str, found: list[float], cpu_s: float) -> dict[str, Cell]:
    wall = 1000 * np.array(found)
    columns = {f"p{level:g} ms": round(float(np.percentile(wall, level)), 2) for level in (50, 90, 99)}
    return {"question": name, **columns, "server CPU ms": round(1000 * cpu_s, 2)}


@contextmanager
def _served() -> Iterator[tuple[int, psutil.Process]]:
    """The API in a process of its own."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()  # so that a server that dies at its start is an end of file here, and not a wait without end
    try:
        yield ours.recv(), psutil.Process(process.pid)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    view, random = View(), np.random.default_rng(1)
    nodes = {f"c/n{i}": made_up_node(random, i) for i in range(NODES)}
    slabs = {(0, f"slab/{n}"): _slab(n, random) for n in range(-(-WORKLOADS // SLAB))}
    view.snapshot, view.missing = Snapshot(slabs, nodes), {}
    view.snapshot.prepare()
    settle()  # as `serve` does once it has read the log
    app = create_app(view, ApiSettings(), NullMeter(), time.monotonic, lambda: (b"", ""))
    config = uvicorn.Config(app, log_config=None, access_log=False)
    listener = socket.create_server(("127.0.0.1", 0))
    pipe.send(listener.getsockname()[1])
    uvicorn.Server(config).run([listener])


def _id(number: int) -> str:
    return f"c/team/Job/bert-{number}/main"


def _slab(number: int, random: np.random.Generator) -> Slab:
    """Workloads on one A100 each, that a slice of it would hold, with sizes half of what the job asks for."""
    ids = [_id(n) for n in range(number * SLAB, min((number + 1) * SLAB, WORKLOADS))]
    profile = empty_arrays(PROFILE_FIELDS, len(ids))
    profile["first_seen_ms"][:], profile["last_seen_ms"][:] = 1, 86_400_000
    profile["gpu_last_seen_ms"][:], profile["covered_ms"][:] = 86_400_000, 86_400_000
    profile["gpu_count"][:], profile["gpu_model"][:] = 1, code_of(_A100)
    profile["gpu_framebuffer_peak"][:] = to_peak16(np.array([8.0 * _GIB]))
    for name, value in _SEEN.items():
        at = GPU_SIGNALS_KEPT.index(name)
        profile["gpu_signal_sum"][:, at], profile["gpu_signal_weight"][:, at] = value, 1.0
    told = empty_arrays(RECOMMENDATION_FIELDS, len(ids))
    size = np.stack([random.uniform(2, 4, len(ids)), random.uniform(8, 16, len(ids)) * _GIB], axis=1)
    told["computed_ms"][:], told["confidence"][:], told["action"][:] = 86_400_000, 0.9, Action.LOWER
    told["target"][:], told["lower"][:], told["upper"][:] = size, 0.8 * size, 1.2 * size
    told["usage_p50"][:], told["usage_p95"][:], told["usage_peak"][:] = 0.5 * size, 0.8 * size, size
    columns = Columns(PROFILE_FIELDS, ids, profile)
    return join(columns, encode_columns(columns), Columns(RECOMMENDATION_FIELDS, ids, told))
