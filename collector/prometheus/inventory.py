"""The machines of a cluster, as kube-state-metrics, node-exporter and dcgm-exporter tell of them, and which signals the
server can give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from collector.names.foreign import Foreign
from collector.names.table import CADVISOR, DCGM, KUBE_STATE
from collector.names.who import gpu_use, machine_of
from collector.prometheus.answer import Labels, Series
from models.inventory import Coverage, Gpu, Node

CAPACITY = "kube_node_status_capacity"
TOTAL_MEMORY = "node_memory_MemTotal_bytes"
CPU_SECONDS = "node_cpu_seconds_total"
GPU_MEMORY = "DCGM_FI_DEV_FB_TOTAL"
GPU_METRICS = (GPU_MEMORY, "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_GPU_UTIL")
"""Any of them names the GPUs; the first says how large they are."""
_WINDOW = "1h"
_WANTED, _IDLE = 'resource=~"cpu|memory"', 'mode="idle"'
_ADDED_BY = {
    "cadvisor": "the kubelet's /metrics/cadvisor; is it scraped, and is this metric kept?",
    "kube-state-metrics": "kube-state-metrics; is it scraped?",
    "dcgm": "dcgm-exporter; is it scraped, with deploy/dcgm/counters.csv?",
}


def questions(names: Set[str], match: str) -> dict[str, str]:
    """The queries to ask, by metric, of those that are there."""
    gpu = next((name for name in GPU_METRICS if name in names), GPU_MEMORY)
    asked = {
        CAPACITY: f"last_over_time({_braced(CAPACITY, _WANTED, match)}[{_WINDOW}])",
        TOTAL_MEMORY: f"last_over_time({_braced(TOTAL_MEMORY, match)}[{_WINDOW}])",
        CPU_SECONDS: f"last_over_time({_braced(CPU_SECONDS, _IDLE, match)}[{_WINDOW}])",
        gpu: f"last_over_time({_braced(gpu, match)}[{_WINDOW}])",
    }
    return {name: query for name, query in asked.items() if name in names}


@dataclass(slots=True)
class _Machine:
    cpus: float = 0.0
    memory: float = 0.0
    gpus: dict[str, Gpu] = field(default_factory=dict)


def nodes(answers: Mapping[str, Sequence[Series]], names: Set[str], cluster: str, time_ms: int) -> list[Node]:
    """One node per machine; every one of them has the server's coverage."""
    machines: dict[tuple[str, str], _Machine] = defaultdict(_Machine)
    for metric, all_series in answers.items():
        for series in all_series:
            labels = series.labels()
            if name := machine_of(labels):
                machine = machines[cluster or labels.get("cluster", "") or "prometheus", name]
                _learn(machine, metric, labels, series.number())
    coverage = tuple(_coverage(names))
    return [
        Node(of, name, time_ms, cpu_cores=one.cpus, memory_bytes=round(one.memory), gpus=tuple(one.gpus.values()),
             coverage=coverage)
        for (of, name), one in sorted(machines.items())
    ]  # fmt: skip


def _learn(machine: _Machine, metric: str, labels: Labels, value: float) -> None:
    if metric == CAPACITY:
        if labels.get("resource") == "cpu":
            machine.cpus = value
        else:
            machine.memory = value
    elif metric == TOTAL_MEMORY:
        machine.memory = machine.memory or value
    elif metric == CPU_SECONDS:
        machine.cpus += 1
    elif use := gpu_use(labels, ""):
        uuid, memory = labels.get("UUID", use.gpu_uuid), round(value * 2**20) if metric == GPU_MEMORY else 0
        known = machine.gpus.get(uuid, Gpu(uuid, use.gpu_model, 0))
        whole = not use.mig_profile
        machine.gpus[uuid] = replace(known, memory_bytes=memory if whole else known.memory_bytes, mig_enabled=not whole)


def _coverage(names: Set[str]) -> Iterator[Coverage]:
    """Each signal once: seen when any spelling of any metric that gives it is there."""
    by_signal: dict[str, list[Foreign]] = defaultdict(list)
    for foreign in (*CADVISOR, *KUBE_STATE, *DCGM):
        by_signal[foreign.signal].append(foreign)
    for signal, known in by_signal.items():
        if any(name in names for foreign in known for name in foreign.names):
            yield Coverage("prometheus", signal, True)
        else:
            first = known[0]
            yield Coverage(
                "prometheus", signal, False, f"no {first.names[-1]}, which comes from {_ADDED_BY[first.system]}"
            )


def _braced(name: str, *matchers: str) -> str:
    return f"{name}{{{','.join(filter(None, matchers))}}}"
