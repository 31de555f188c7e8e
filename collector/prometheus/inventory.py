"""The machines of a cluster, as kube-state-metrics, node-exporter and dcgm-exporter tell of them, and which signals the
server can give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from collector.names.foreign import Foreign
from collector.names.table import CADVISOR, DCGM, KUBE_STATE
from collector.names.who import gpu_use
from collector.prometheus import node_states, pods_placed
from collector.prometheus.answer import Labels, Series
from collector.prometheus.node_states import NodeStates
from collector.prometheus.pods_placed import REQUESTS_OF_SOME, Machine, Placed, machine_in
from collector.prometheus.selector import braced
from models.inventory import ALLOCATIONS, GPU_HOLDERS, TAINTS, Coverage, Gpu, Node

CAPACITY = "kube_node_status_capacity"
ALLOCATABLE = "kube_node_status_allocatable"
TOTAL_MEMORY = "node_memory_MemTotal_bytes"
CPU_SECONDS = "node_cpu_seconds_total"
GPU_MEMORY = {name: one.scale for one in DCGM if one.signal == "framebuffer_total_bytes" for name in one.names}
"""How large GPUs are: bytes for each unit of these metrics."""
_OF_EVERY_GPU = ("framebuffer_used_bytes", "gpu_utilization_ratio")
GPU_METRICS = (*GPU_MEMORY, *(name for one in DCGM if one.signal in _OF_EVERY_GPU for name in one.names))
"""Any of them names the GPUs."""
SOURCE = "prometheus"
_WINDOW = "1h"
_WANTED, _IDLE = 'resource=~"cpu|memory"', 'mode="idle"'
_ADDED_BY = {
    "cadvisor": "the kubelet's /metrics/cadvisor; is it scraped, and is this metric kept?",
    "kube-state-metrics": "kube-state-metrics; is it scraped?",
    "dcgm": "dcgm-exporter; is it scraped, with deploy/dcgm/counters.csv?",
}


def questions(names: Set[str], match: str) -> dict[str, str]:
    """The queries to ask, by metric, of those that are there: what a machine is in the last hour, what holds now as it is."""
    gpu = next((name for name in GPU_METRICS if name in names), GPU_METRICS[0])
    lasting = {
        CAPACITY: braced(CAPACITY, _WANTED, match),
        ALLOCATABLE: braced(ALLOCATABLE, _WANTED, match),
        TOTAL_MEMORY: braced(TOTAL_MEMORY, match),
        CPU_SECONDS: braced(CPU_SECONDS, _IDLE, match),
        gpu: braced(gpu, match),
    }
    asked = {name: f"last_over_time({selector}[{_WINDOW}])" for name, selector in lasting.items()}
    known = {name: query for name, query in (asked | node_states.questions(match)).items() if name in names}
    return known | pods_placed.questions(names, gpu, match)


@dataclass(slots=True)
class _Machine:
    """By resource. exported: as node-exporter has it, where kube-state-metrics does not tell."""

    capacity: dict[str, float] = field(default_factory=dict)
    allocatable: dict[str, float] = field(default_factory=dict)
    exported: dict[str, float] = field(default_factory=lambda: {"cpu": 0.0, "memory": 0.0})
    gpus: dict[str, Gpu] = field(default_factory=dict)

    def size(self, resource: str) -> float:
        return self.capacity.get(resource) or self.exported[resource]


def nodes(answers: Mapping[str, Sequence[Series]], names: Set[str], cluster: str, time_ms: int) -> list[Node]:
    """One node per machine; every one of them has the server's coverage."""
    machines: dict[Machine, _Machine] = defaultdict(_Machine)
    states = NodeStates(names)
    for metric in (metric for metric in answers if metric in _LASTING or metric in node_states.METRICS):
        for series in answers[metric]:
            labels = series.labels()
            if machine := machine_in(labels, cluster):
                if metric in _LASTING:
                    _learn(machines[machine], metric, labels, series.number())
                else:
                    states.learn(machine, metric, labels, series.number())
    on, coverage = pods_placed.placed(answers, cluster), tuple(_coverage(names, narrowed=REQUESTS_OF_SOME in answers))
    return [
        _node(machine, time_ms, one, states, on.get(machine, Placed()), coverage)
        for machine, one in sorted(machines.items())
    ]


_LASTING = (CAPACITY, ALLOCATABLE, TOTAL_MEMORY, CPU_SECONDS, *GPU_METRICS)


def _node(
    machine: Machine, time_ms: int, one: _Machine, states: NodeStates, on: Placed, coverage: tuple[Coverage, ...]
) -> Node:
    allocatable_memory = one.allocatable.get("memory")
    return Node(
        *machine,
        time_ms,
        cpu_cores=one.size("cpu"),
        memory_bytes=round(one.size("memory")),
        gpus=tuple(one.gpus.values()),
        allocatable_cpu_cores=one.allocatable.get("cpu") or None,
        allocatable_memory_bytes=round(allocatable_memory) if allocatable_memory else None,
        allocations=on.allocations,
        coverage=(*coverage, *_holders(on)),
        taints=states.taints(machine),
    )


def _learn(machine: _Machine, metric: str, labels: Labels, value: float) -> None:
    if metric == CAPACITY:
        machine.capacity[labels.get("resource", "")] = value
    elif metric == ALLOCATABLE:
        machine.allocatable[labels.get("resource", "")] = value
    elif metric == TOTAL_MEMORY:
        machine.exported["memory"] = value
    elif metric == CPU_SECONDS:
        machine.exported["cpu"] += 1
    elif use := gpu_use(labels, ""):
        uuid, memory = labels.get("UUID", use.gpu_uuid), round(value * GPU_MEMORY.get(metric, 0.0))
        known = machine.gpus.get(uuid, Gpu(uuid, use.gpu_model, 0))
        whole = not use.mig_profile
        machine.gpus[uuid] = replace(known, memory_bytes=memory if whole else known.memory_bytes, mig_enabled=not whole)


def _holders(on: Placed) -> Iterator[Coverage]:
    if on.gpus_asked > on.gpus_named:
        reason = (
            f"pods ask for {on.gpus_asked} GPUs there and dcgm-exporter names the holders of {on.gpus_named}:"
            " DCGM_EXPORTER_KUBERNETES=true makes it tell pods"
        )
        yield Coverage(SOURCE, GPU_HOLDERS, False, reason)


def _coverage(names: Set[str], *, narrowed: bool) -> Iterator[Coverage]:
    """Each signal once: seen when any spelling of any metric that gives it is there. Then what placement needs to know."""
    by_signal: dict[str, list[Foreign]] = defaultdict(list)
    for foreign in (*CADVISOR, *KUBE_STATE, *DCGM):
        by_signal[foreign.signal].append(foreign)
    for signal, known in by_signal.items():
        if any(name in names for foreign in known for name in foreign.names):
            yield Coverage(SOURCE, signal, True)
        else:
            first = known[0]
            yield Coverage(SOURCE, signal, False, f"no {first.names[-1]}, which comes from {_ADDED_BY[first.system]}")
    for what, needed in ((TAINTS, (node_states.CORDON, node_states.TAINT)), (ALLOCATIONS, pods_placed.NEEDED)):
        lacking = [name for name in needed if name not in names]
        reason = f"no {lacking[0]}, which comes from {_ADDED_BY['kube-state-metrics']}" if lacking else ""
        if not lacking and what == ALLOCATIONS and narrowed:
            reason = "--match lets some pods through: what the others hold there is not told"
        yield Coverage(SOURCE, what, not reason, reason)
