"""POST /v1/place over 1,500 candidate nodes and POST /v1/pack over 800 GPUs: time of one answer, through the whole API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from bench.report import Cell, Report
from models.hardware.geometry import Slot, best_start
from models.hardware.mig_table import MIG_GPUS
from models.inventory import Allocation, Gpu, GpuLink, MigInstance, Node
from models.metrics import NullMeter
from models.taints import CORDONED, Taint
from recommender.api.app import create_app
from recommender.api.settings import ApiSettings
from recommender.view import Snapshot, View
from sizewise.cycles import settle

NODES, PACKED_GPUS, QUESTIONS, REPORTING = 1500, 800, 200, 40
"""REPORTING: nodes that report between two questions; 1,500 nodes every 10 s are 38 in the view's 250 ms."""
_GIB = 2**30
_MODELS = ("NVIDIA A100-SXM4-80GB", "NVIDIA H100 80GB HBM3", "NVIDIA L4", "NVIDIA A10")
_RACK = "topology.kubernetes.io/rack"
_SPOT = {"checkpoint_cost_s": 30, "restart_s": 60, "interruptions_per_hour": 0.05}
_JOB = {"cpu_cores": 8, "memory_bytes": 32 * _GIB, "gpus": 1, "run_time_s": 7200, "spot": _SPOT}
_MARKED = Taint("nvidia.com/gpu", "NoSchedule", "present")
_TOLERANT = {"tolerations": [{"key": _MARKED.key, "operator": "Exists"}]}
QUESTIONS_ASKED: Mapping[str, Mapping[str, Any]] = {
    "one GPU": _JOB,
    "four GPUs, memory-bound": _JOB | {"gpus": 4, "bottleneck": "memory-bandwidth"},
    "0.3 of a GPU": _JOB | {"gpu_share_ratio": 0.3},
    "gang of 64": _JOB | {"members": 64},
}


def run(data: Path | None) -> Report:
    """Needs no data set: the inventory is made up."""
    random = np.random.default_rng(1)
    nodes = {f"c/n{i}": made_up_node(random, i) for i in range(NODES)}
    client, view = _client(nodes)
    settle()  # as `serve` does once it has read the log
    first = _timed(lambda: _ask(client, "/v1/place", _JOB), 1)
    rows = [_row(name, _timed(partial(_ask, client, "/v1/place", body))) for name, body in QUESTIONS_ASKED.items()]
    dice = np.random.default_rng(2)
    closed = _client({key: tainted(dice, node) for key, node in nodes.items()})[0]
    rows.append(_row("one GPU, nodes with taints", _timed(lambda: _ask(closed, "/v1/place", _JOB | _TOLERANT))))

    def reported() -> None:
        for i in random.integers(NODES, size=REPORTING).tolist():
            nodes[f"c/n{i}"] = made_up_node(random, i)
        view.snapshot = Snapshot({}, dict(nodes))

    rows.append(
        _row(f"one GPU, {REPORTING} nodes reported", _timed(lambda: _ask(client, "/v1/place", _JOB), before=reported))
    )
    packed = {f"c/m{i}": _cut_node(random, i) for i in range(PACKED_GPUS // 8)}
    wish = {"workloads": [{"name": "new", "replicas": 10, "mig_profiles": ["3g", "4g"]}], "make_room_for": ["7g"]}
    packing = _timed(lambda: _ask(_client(packed)[0], "/v1/pack", wish), 5)
    rows += [_row("first question of all", first), _row(f"pack onto {PACKED_GPUS} GPUs", packing)]
    figures = {
        "place_api_p99_ms": float(rows[0]["cpu p99 ms"] or 0),
        "place_api_reporting_p99_ms": float(rows[len(QUESTIONS_ASKED) + 1]["cpu p99 ms"] or 0),
        "pack_api_s": float(np.median([cpu for _, cpu in packing])),
    }
    note = (
        f"{QUESTIONS} questions each over {NODES} candidate nodes; validation, JSON and the client in memory included."
    )
    return Report("Placement and packing by the API", figures, rows, (note,))


def _timed(
    ask: Callable[[], None], times: int | None = None, before: Callable[[], None] = lambda: None
) -> list[tuple[float, float]]:
    """(wall, process CPU) seconds per question."""
    found = []
    for _ in range(times or QUESTIONS):
        before()
        wall, cpu = time.perf_counter(), time.process_time()
        ask()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return found


def _row(name: str, found: Sequence[tuple[float, float]]) -> dict[str, Cell]:
    wall, cpu = 1000 * np.array(found).T
    columns = {"wall p50 ms": (wall, 50), "wall p99 ms": (wall, 99), "cpu p50 ms": (cpu, 50), "cpu p99 ms": (cpu, 99)}
    return {"question": name} | {title: round(float(np.percentile(v, p)), 1) for title, (v, p) in columns.items()}


def _ask(client: TestClient, path: str, body: Mapping[str, Any]) -> None:
    answer = client.post(path, json=dict(body))
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text}")


def _client(nodes: Mapping[str, Node]) -> tuple[TestClient, View]:
    view = View()
    view.snapshot, view.missing = Snapshot({}, dict(nodes)), {}
    app = create_app(view, ApiSettings(), NullMeter(), time.monotonic, lambda: (b"", ""))
    return TestClient(app, base_url="http://localhost"), view


def made_up_node(random: np.random.Generator, number: int) -> Node:
    """1 to 8 GPUs of which three fifths are held, 20 CPU workloads, a rack of 16, a third of them spot."""
    count, model = int(random.choice([1, 2, 4, 8, 8, 8])), str(random.choice(_MODELS))
    uuids = [f"g{number}-{k}" for k in range(count)]
    cpu = tuple(Allocation(f"w{k}", "i", float(random.choice([0.5, 1, 2])), 2 * _GIB) for k in range(20))
    gpu = tuple(Allocation(f"q{u}", "i", 4.0, 16 * _GIB, (u,)) for u in uuids if random.random() < 0.6)
    return Node(
        "c",
        f"n{number}",
        1,
        cpu_cores=12 * count + 32,
        memory_bytes=(100 * count + 64) * _GIB,
        gpus=tuple(_gpu(uuids, k, model) for k in range(count)),
        labels={_RACK: f"r{number // 16}"},
        zone=str(random.choice(["x", "y", "z"])),
        spot=bool(random.random() < 0.3),
        price_usd_per_hour=2.0 * count,
        allocations=(*cpu, *gpu),
    )


def tainted(random: np.random.Generator, node: Node) -> Node:
    """A tenth is cordoned, half are marked as GPU nodes, and a tenth would rather be without others than its team's."""
    several = ((CORDONED, 0.1), (_MARKED, 0.5), (Taint("team", "PreferNoSchedule", "ml"), 0.1))
    return replace(node, taints=tuple(taint for taint, share in several if random.random() < share))


def _gpu(uuids: Sequence[str], k: int, model: str) -> Gpu:
    """NVLink within each four."""
    others = [n for n in range(len(uuids)) if n != k]
    return Gpu(
        uuids[k],
        model,
        80 * _GIB,
        links=tuple(GpuLink(uuids[n], "nvlink" if n // 4 == k // 4 else "numa") for n in others),
    )


def _cut_node(random: np.random.Generator, number: int) -> Node:
    """Eight A100 with slices of which two fifths have left again."""
    gpus = tuple(_cut(random, f"m{number}-{k}") for k in range(8))
    held = tuple(Allocation(f"t{i.uuid}", "i", gpu_uuids=(i.uuid,)) for gpu in gpus for i in gpu.mig)
    return Node("c", f"m{number}", 1, gpus=gpus, allocations=held)


def _cut(random: np.random.Generator, uuid: str) -> Gpu:
    mig, layout = MIG_GPUS["A100-80"], list[Slot]()
    for key in random.choice(["1g", "2g", "3g", "4g", "7g"], size=8, p=(0.4, 0.29, 0.2, 0.1, 0.01)).tolist():
        start = best_start(mig, layout, key)
        if start is not None:
            layout.append(Slot(start, key))
    stay = [slot for slot in layout if random.random() < 0.6]
    instances = tuple(MigInstance(f"{uuid}/{s.key}@{s.start}", mig.profile(s.key).name, s.start) for s in stay)
    return Gpu(uuid, _MODELS[0], 80 * _GIB, mig_enabled=True, mig=instances)
