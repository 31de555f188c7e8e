"""A cluster's history in a real Prometheus: 1,000 Deployments for 14 days, scraped every minute.

Each Deployment has one pod at a time and rolls out every five days, so that a name outlives its pods as it does in life.
kube-state-metrics is scraped every four minutes, to build the database in half the time.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.services.prometheus import PrometheusServer

WORKLOADS, DAYS, STEP_S = 1000, 14, 60
BLOCK_S = 7200
_PER_BLOCK = BLOCK_S // STEP_S
_SLOW = 4
_ROLL_OUT_S = 5 * 86_400
_HASH = "456789bcdf"


@dataclass(frozen=True)
class History:
    """used_s: seconds of CPU since the beginning, memory: bytes, both [WORKLOADS, minutes] at the end of each minute,
    the first of which ends at `begin_s + STEP_S`."""

    begin_s: int
    used_s: NDArray[np.float64]
    memory: NDArray[np.float64]

    @property
    def end_s(self) -> int:
        return self.begin_s + DAYS * 86_400


def made_up(now_s: float) -> History:
    """Daily shapes with log-normal noise, ending at the last whole block before now."""
    dice = np.random.default_rng(1)
    begin_s = int(now_s) // BLOCK_S * BLOCK_S - DAYS * 86_400
    minutes = np.arange(DAYS * 1440)
    day = 1 + 0.5 * np.sin(2 * np.pi * (minutes / 1440 + dice.random((WORKLOADS, 1))))
    size = np.exp(dice.normal(-1.5, 1, (WORKLOADS, 1)))
    cores = size * day * np.exp(dice.normal(0, 0.3, day.shape))
    memory = np.exp(dice.normal(np.log(5e8), 1, (WORKLOADS, 1))) * (1 + 0.1 * day + dice.normal(0, 0.02, day.shape))
    return History(begin_s, np.cumsum(cores, axis=1) * STEP_S, np.round(memory / 4096) * 4096)


def namespace(workload: int) -> str:
    return f"team-{workload // 20}"


def deployment(workload: int) -> str:
    return f"service-{workload}"


def fill(server: PrometheusServer, history: History, say: Callable[[str], None]) -> None:
    """Write the history into a stopped server's database, a block at a time on every core."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sizewise-bench-") as folder:
        tasks = [(server, Path(folder), number) for number in range(DAYS * 86_400 // BLOCK_S)]
        with multiprocessing.get_context("fork").Pool(os.cpu_count(), _share, (history,)) as pool:
            for done, _ in enumerate(pool.imap_unordered(_block, tasks), start=1):
                if done % 42 == 0:
                    say(f"{done} of {len(tasks)} blocks after {time.monotonic() - began:.0f} s")


_shared: list[History] = []


def _share(history: History) -> None:
    """In each worker: 320 MB that a fork inherits and a pipe would copy."""
    _shared.append(history)


def _block(task: tuple[PrometheusServer, Path, int]) -> None:
    server, folder, number = task
    file = folder / f"{number}.om"
    with file.open("w") as out:
        for family in _families(_shared[0], number):
            out.writelines(family)
        out.write("# EOF\n")
    server.fill(file)
    file.unlink()


def _families(history: History, block: int) -> Iterator[Iterator[str]]:
    minutes = np.arange(block * _PER_BLOCK, (block + 1) * _PER_BLOCK)
    usage = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
    for name, levels in zip(usage, (_counters(history, minutes), history.memory[:, minutes]), strict=True):
        yield (
            line
            for workload in range(WORKLOADS)
            for line in _lines(name, history, workload, minutes, levels[workload], _container)  # used at once
        )
    slow = minutes[::_SLOW]
    for name, labels, value in _FACTS:
        yield (
            line
            for workload in range(WORKLOADS)
            for line in _lines(name, history, workload, slow, np.full(len(slow), value), labels)
        )


def _counters(history: History, minutes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Seconds of CPU since the start of the pod that ran in each minute."""
    starts = np.array([[_first_minute(w, _pod_number(w, m)) for m in minutes.tolist()] for w in range(WORKLOADS)])
    before = np.where(starts > 0, np.take_along_axis(history.used_s, np.maximum(starts - 1, 0), axis=1), 0.0)
    levels: NDArray[np.float64] = history.used_s[:, minutes] - before
    return levels


def _lines(
    name: str,
    history: History,
    workload: int,
    minutes: NDArray[np.intp],
    values: NDArray[np.float64],
    labels: Callable[[int, int], str],
) -> Iterator[str]:
    first, last = (_pod_number(workload, int(minute)) for minute in (minutes[0], minutes[-1]))
    series = {pod: f"{name}{{{labels(workload, pod)}}}" for pod in range(first, last + 1)}
    for minute, value in zip(minutes.tolist(), values.tolist(), strict=True):
        pod = series[_pod_number(workload, minute)] if first != last else series[first]
        yield f"{pod} {value:.12g} {history.begin_s + (minute + 1) * STEP_S}\n"


def _pod_number(workload: int, minute: int) -> int:
    return (minute * STEP_S + _offset_s(workload)) // _ROLL_OUT_S


def _first_minute(workload: int, pod: int) -> int:
    return max(-(-(pod * _ROLL_OUT_S - _offset_s(workload)) // STEP_S), 0)


def _offset_s(workload: int) -> int:
    return workload * 7919 % _ROLL_OUT_S


def _replica_set(workload: int, pod: int) -> str:
    return f"{deployment(workload)}-" + "".join(_HASH[int(digit)] for digit in f"{workload * 37 + pod:08d}")


def _pod(workload: int, pod: int) -> str:
    return f"{_replica_set(workload, pod)}-x{_HASH[pod % 10]}2z4"


def _container(workload: int, pod: int) -> str:
    number = workload * 100 + pod
    uid, container = f"{number:08x}-0000-4000-8000-000000000000", f"{number:064x}"
    where = f'node="node-{workload % 50}",instance="10.0.0.{workload % 50}:10250",job="kubelet"'
    return (
        f'namespace="{namespace(workload)}",pod="{_pod(workload, pod)}",container="main",{where},'
        f'metrics_path="/metrics/cadvisor",cpu="total",id="/kubepods/burstable/pod{uid}/{container}"'
    )


def _of_pod(workload: int, pod: int) -> str:
    return f'namespace="{namespace(workload)}",pod="{_pod(workload, pod)}",job="kube-state-metrics"'


def _size(resource: str, unit: str) -> Callable[[int, int], str]:
    return lambda w, p: f'{_of_pod(w, p)},container="main",resource="{resource}",unit="{unit}"'


def _pod_owner(workload: int, pod: int) -> str:
    return f'{_of_pod(workload, pod)},owner_kind="ReplicaSet",owner_name="{_replica_set(workload, pod)}"'


def _replica_set_owner(workload: int, pod: int) -> str:
    owner = f'owner_kind="Deployment",owner_name="{deployment(workload)}"'
    return (
        f'namespace="{namespace(workload)}",replicaset="{_replica_set(workload, pod)}",job="kube-state-metrics",{owner}'
    )


_FACTS: tuple[tuple[str, Callable[[int, int], str], float], ...] = (
    ("kube_pod_owner", _pod_owner, 1.0),
    ("kube_replicaset_owner", _replica_set_owner, 1.0),
    ("kube_pod_container_resource_requests", _size("cpu", "core"), 0.5),
    ("kube_pod_container_resource_requests", _size("memory", "byte"), 1e9),
    ("kube_pod_container_resource_limits", _size("cpu", "core"), 2.0),
    ("kube_pod_container_resource_limits", _size("memory", "byte"), 4e9),
)
