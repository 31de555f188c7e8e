"""The openb cluster (Alibaba, 2023) as FGD uses it: 1,213 GPU nodes with 6,212 GPUs, and traces of pods."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recommender.placement.cluster import Cluster
from recommender.placement.request import Request

_MIB = 2**20
_SLOTS = 8


def read_cluster(folder: Path) -> Cluster:
    rows = _rows(folder / "openb_node_list_gpu_node.csv.gz")
    counts = np.array([int(row["gpu"]) for row in rows])
    gpu = np.where(np.arange(_SLOTS)[:, None] < counts, 1000, -1)
    return Cluster(
        names=[row["sn"] for row in rows],
        cpu_milli=np.array([int(row["cpu_milli"]) for row in rows]),
        memory_bytes=np.array([int(row["memory_mib"]) * _MIB for row in rows]),
        gpu_milli=gpu,
        model=[row["model"] for row in rows],
    )


def read_pods(folder: Path, trace: str) -> list[Request]:
    return [_request(row) for row in _rows(folder / f"openb_pod_list_{trace}.csv.gz")]


def _request(row: dict[str, str]) -> Request:
    gpus = int(row["num_gpu"])
    models = tuple(sorted(set(filter(None, (row.get("gpu_spec") or "").split("|")))))
    share = int(row["gpu_milli"]) if gpus else 0
    return Request(int(row["cpu_milli"]), int(row["memory_mib"]) * _MIB, gpus, share, models if gpus else ())


def arrivals(pods: Sequence[Request], capacity_milli: int, seed: int, load: float = 1.3) -> list[Request]:
    """All pods in random order, then pods drawn with replacement, until they ask for `load` times the GPUs."""
    random = np.random.default_rng(seed)
    order = list(random.permutation(len(pods)))
    chosen: list[Request] = []
    asked = 0
    while True:
        pod = pods[order.pop(0) if order else int(random.integers(len(pods)))]
        asked += pod.total_gpu_milli
        if asked > load * capacity_milli:
            return chosen
        chosen.append(pod)


def _rows(file: Path) -> list[dict[str, str]]:
    with gzip.open(file, "rt") as lines:
        return list(csv.DictReader(lines))
