"""Traces for `sizewise simulate`: pods and nodes as CSV, plain or .gz, with the columns of Alibaba's openb traces.

Nodes: `cpu_milli`, `memory_mib`, `gpu` (how many) and, if known, `sn` or `name`, `model`, and `taints` parted by `|`.
Pods: `cpu_milli`, `memory_mib`, `num_gpu`, `gpu_milli` (share of each GPU, 1000 is a whole one) and, if any, `gpu_spec` (models
that will do) and `tolerations`, each parted by `|`; where pods leave, `creation_time` and `deletion_time` in seconds, the latter
empty for one that stays. Further columns are not looked at. Without times, pods arrive in the order of the file.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TypeVar

import numpy as np

from models.taints import Taint, read_taint, read_toleration
from recommender.placement.cluster import GONE, Cluster
from recommender.placement.request import GPU_MILLI, Request
from recommender.placement.stays import Stay
from recommender.placement.tainted import Tainted

_MIB = 2**20
_HIGHEST = 2**53
_MOST_GPUS = 64
_Row = Mapping[str, str | None]
_Read = TypeVar("_Read")


class TraceError(ValueError):
    """A trace that cannot be read. The message names file, line, column, value and mend."""


def read_nodes(file: Path) -> Cluster:
    """All nodes, wholly free. Raises TraceError."""
    rows = list(_rows(file, ("cpu_milli", "memory_mib", "gpu"), _node))
    if not rows:
        raise TraceError(f"{file} has no node; it needs a line per node under its heading")
    counts = np.array([row.gpus for row in rows])
    return Cluster(
        names=[row.name or f"node {n + 1}" for n, row in enumerate(rows)],
        cpu_milli=np.array([row.cpu_milli for row in rows]),
        memory_bytes=np.array([row.memory_bytes for row in rows]),
        gpu_milli=np.where(np.arange(max(counts.max(), 1))[:, None] < counts, GPU_MILLI, GONE),
        model=[row.model for row in rows],
        tainted=Tainted.of([row.taints for row in rows]),
    )


def read_pods(file: Path) -> list[Request]:
    """Requests in the order of arrival. Raises TraceError."""
    return list(_rows(file, ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli"), _pod))


def read_stays(file: Path) -> list[Stay]:
    """Requests with when they come and go, by arrival. Raises TraceError."""
    needed = ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "creation_time", "deletion_time")
    return sorted(_rows(file, needed, _stay), key=lambda stay: stay.arrives_s)


def drawn(pods: Sequence[Request], capacity_milli: int, seed: int, load: float) -> list[Request]:
    """All pods in random order, then pods drawn with replacement, until they ask for `load` times the GPUs (FGD's way).

    Raises TraceError when no pod asks for GPU."""
    if not any(pod.total_gpu_milli for pod in pods):
        raise TraceError("no pod of the trace asks for GPU, so none can fill the cluster to a load: replay it as it is")
    random = np.random.default_rng(seed)
    order = list(random.permutation(len(pods)))[::-1]
    chosen: list[Request] = []
    asked = 0
    while True:
        pod = pods[order.pop() if order else int(random.integers(len(pods)))]
        asked += pod.total_gpu_milli
        if asked > load * capacity_milli:
            return chosen
        chosen.append(pod)


def drawn_stays(stays: Sequence[Stay], capacity_milli: int, seed: int, load: float) -> list[Stay]:
    """As many arrivals as the trace has, drawn from it with their stays, on a cluster that is in use already: in the mean
    they ask for `load` times the GPUs from the first second on.

    Arrivals are a Poisson process. Who is there at the start was drawn in proportion to how long it stays, and is
    somewhere in its stay: what one finds who looks at such a process at any time. Raises TraceError when no pod asks for
    GPU, or one never leaves.
    """
    length_s = np.array([stay.leaves_s - stay.arrives_s for stay in stays])
    gpu_s = np.array([stay.request.total_gpu_milli for stay in stays]) * length_s
    if not np.isfinite(gpu_s).all() or gpu_s.sum() <= 0:
        raise TraceError(
            "pods are drawn by how long they hold GPUs: all need a deletion_time, and one must ask for GPU"
        )
    random = np.random.default_rng(seed)
    there, asked = list[Stay](), 0
    ends_s = np.cumsum(length_s)
    while asked < load * capacity_milli:
        n = int(np.searchsorted(ends_s, random.random() * ends_s[-1], side="right"))
        there.append(Stay(stays[n].request, 0.0, float(random.random() * length_s[n])))
        asked += stays[n].request.total_gpu_milli
    times = np.cumsum(random.exponential(gpu_s.mean() / (load * capacity_milli), len(stays)))
    chosen = random.integers(len(stays), size=len(stays))
    coming = [Stay(stays[n].request, t, t + length_s[n]) for n, t in zip(chosen.tolist(), times.tolist(), strict=True)]
    return there + coming


@dataclass(frozen=True, slots=True)
class _Node:
    name: str
    cpu_milli: int
    memory_bytes: int
    gpus: int
    model: str
    taints: tuple[Taint, ...]


def _node(row: _Row) -> _Node:
    name = row.get("sn") or row.get("name") or ""
    memory, gpus = _MIB * _whole(row, "memory_mib"), _whole(row, "gpu", _MOST_GPUS)
    taints = tuple(map(read_taint, _parts(row, "taints")))
    return _Node(name, _whole(row, "cpu_milli"), memory, gpus, row.get("model") or "", taints)


def _pod(row: _Row) -> Request:
    gpus = _whole(row, "num_gpu", _MOST_GPUS)
    share = _whole(row, "gpu_milli", GPU_MILLI) if gpus else 0
    models = tuple(_parts(row, "gpu_spec")) if gpus else ()
    tolerations = tuple(sorted(map(read_toleration, _parts(row, "tolerations"))))
    memory = _MIB * _whole(row, "memory_mib")
    return Request(_whole(row, "cpu_milli"), memory, gpus, share, models, tolerations=tolerations)


def _parts(row: _Row, column: str) -> list[str]:
    return sorted(set(filter(None, (row.get(column) or "").split("|"))))


def _stay(row: _Row) -> Stay:
    created_s = _whole(row, "creation_time")
    deleted_s = _whole(row, "deletion_time") if row["deletion_time"] else inf
    if deleted_s < created_s:
        raise ValueError(
            f"deletion_time is {deleted_s}, before creation_time {created_s}; leave it empty for one that stays"
        )
    return Stay(_pod(row), created_s, deleted_s)


def _whole(row: _Row, column: str, high: int = _HIGHEST // _MIB) -> int:
    text = row[column]
    try:
        value = int(text or "")
    except ValueError:
        value = -1
    if not 0 <= value <= high:
        raise ValueError(f"{column} is {text!r}; it must be a whole number from 0 to {high}")
    return value


def _rows(file: Path, needed: Sequence[str], read: Callable[[_Row], _Read]) -> Iterator[_Read]:
    try:
        with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
            reader = csv.DictReader(lines)
            if lacking := [column for column in needed if column not in (reader.fieldnames or ())]:
                raise TraceError(f"{file} has no column {', '.join(lacking)}; it needs {', '.join(needed)}")
            for row in reader:
                yield _one(file, reader.line_num, row, read)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise TraceError(
            f"{file} cannot be read: {error}; it must be CSV, plain or gzip with .gz in its name"
        ) from error


def _one(file: Path, line: int, row: _Row, read: Callable[[_Row], _Read]) -> _Read:
    try:
        return read(row)
    except ValueError as error:
        raise TraceError(f"{file} line {line}: {error}") from error
