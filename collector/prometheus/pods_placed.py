"""What pods hold on the machines now: requests as kube-state-metrics tells them, GPUs as dcgm-exporter does."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from collector.names.who import container_of, gpu_use, machine_of, pod_of
from collector.nodes import held_once
from collector.prometheus.answer import Labels, Series
from collector.prometheus.facts import FactReader, PodKey
from collector.prometheus.queries import OWNERS
from collector.prometheus.selector import braced, matchers_of
from models.inventory import Allocation
from models.owners import Owner
from models.workload import WorkloadName

REQUESTS = "kube_pod_container_resource_requests"
SIDECAR_REQUESTS = "kube_pod_init_container_resource_requests"
"""Of init containers; those of a pod that runs which run themselves are its sidecars."""
REQUESTS_OF_SOME = "requests of some pods"
"""Of the answers, instead of REQUESTS: not all that stand on a machine are let through."""
PHASE = "kube_pod_status_phase"
_INIT_RUNNING = "kube_pod_init_container_status_running"
NEEDED = (REQUESTS, PHASE)
GPU_HOLDERS = "GPU holders"
"""Of the answers: series of GPUs as they are now. Those of the last hour would show who had the GPU before."""
_HOLDING = 'phase=~"Running|Pending"'
"""One that is pending and has a node was scheduled: its images are pulled, and its room is taken."""
_GPU = "nvidia_com_gpu"
_RESOURCES = f'resource=~"cpu|memory|{_GPU}"'
_NOBODY = "machine"
"""Kind of the workload that has a GPU which no pod and no job has."""
Machine = tuple[str, str]
"""Cluster and name."""
_WHERE = "cluster,namespace,exported_namespace,pod,exported_pod"
_CONTAINER = f"{_WHERE},container,exported_container"
_BY = {
    REQUESTS: f"{_CONTAINER},node,exported_node,resource",
    PHASE: _WHERE,
    "kube_pod_owner": f"{_WHERE},owner_kind,owner_name",
    "kube_replicaset_owner": f"{_WHERE},owner_kind,owner_name,replicaset",
    "kube_job_owner": f"{_WHERE},owner_kind,owner_name,job_name,exported_job",
}


def questions(names: Set[str], gpu_metric: str, match: str) -> dict[str, str]:
    """By metric. Nothing where the phase of pods is not told: those that ended long ago have requests too."""
    asked = {GPU_HOLDERS: braced(gpu_metric, match)} if gpu_metric in names else {}
    if names >= set(NEEDED):
        key = REQUESTS_OF_SOME if _narrows(match) else REQUESTS
        asked[key] = f"max by ({_BY[REQUESTS]}) ({braced(REQUESTS, _RESOURCES, match)})"
        asked[PHASE] = f"max by ({_BY[PHASE]}) ({braced(PHASE, _HOLDING, match)} == 1)"
        if names >= {SIDECAR_REQUESTS, _INIT_RUNNING}:
            of_inits = braced(SIDECAR_REQUESTS, _RESOURCES, match)
            running = f"{of_inits} and on ({_CONTAINER}) ({braced(_INIT_RUNNING, match)} == 1)"
            asked[SIDECAR_REQUESTS] = f"max by ({_BY[REQUESTS]}) ({running})"
    owners = (name for name in OWNERS if name in names)
    return asked | {name: f"max by ({_BY[name]}) ({braced(name, match)})" for name in owners}


def _narrows(match: str) -> bool:
    """Whether matchers may keep pods of a machine from us, as those of a namespace do and those of a cluster do not."""
    matchers = matchers_of(braced(REQUESTS, match))
    return matchers is None or any(one.name in _CONTAINER.split(",")[1:] for one in matchers)


@dataclass(frozen=True, slots=True)
class Placed:
    """What stands on one machine. gpus_asked: GPUs that its pods asked for; of those that `allocations` name fewer, the holders
    of some are not told."""

    allocations: tuple[Allocation, ...] = ()
    gpus_asked: int = 0

    @property
    def gpus_named(self) -> int:
        return len({uuid for one in self.allocations for uuid in one.gpu_uuids})


def placed(answers: Mapping[str, Sequence[Series]], cluster: str) -> Mapping[Machine, Placed]:
    """By machine; one allocation for each container that has requests or GPUs, sidecars among them.

    cluster: of all series; empty: as their labels say."""
    owners = FactReader().owners({name: answers.get(name, ()) for name in OWNERS})
    there = {_pod(series.labels()) for series in answers.get(PHASE, ())}
    held, gpus = defaultdict[Machine, list[Allocation]](list), Counter[Machine]()
    asked_for = (REQUESTS, REQUESTS_OF_SOME, SIDECAR_REQUESTS)
    for series in (series for name in asked_for for series in answers.get(name, ())):
        labels = series.labels()
        if (machine := machine_in(labels, cluster)) and (key := _pod(labels)) in there:
            if labels["resource"] == _GPU:
                gpus[machine] += round(series.number())
            elif container := container_of(labels):
                workload = str(container.workload(machine[0], owners.get(key)))
                held[machine].append(_request(workload, container.instance, labels["resource"], series.number()))
    for machine, allocation in _gpus(answers.get(GPU_HOLDERS, ()), cluster, owners):
        held[machine].append(allocation)
    return {machine: Placed(held_once(held[machine]), gpus[machine]) for machine in {**held, **gpus}}


def machine_in(labels: Labels, cluster: str) -> Machine | None:
    """The machine that a series is about; None: it is about none."""
    name = machine_of(labels)
    return (cluster or labels.get("cluster", "") or "prometheus", name) if name else None


def _pod(labels: Labels) -> PodKey:
    pod = pod_of(labels)
    return (labels.get("cluster", ""), pod.namespace, pod.pod) if pod else ("", "", "")


def _request(workload: str, instance: str, resource: str, amount: float) -> Allocation:
    if resource == "cpu":
        return Allocation(workload, instance, cpu_cores=amount)
    return Allocation(workload, instance, memory_bytes=round(amount))


def _gpus(
    holders: Sequence[Series], cluster: str, owners: Mapping[PodKey, Owner]
) -> Iterator[tuple[Machine, Allocation]]:
    for series in holders:
        labels = series.labels()
        machine, owner = machine_in(labels, cluster), owners.get(_pod(labels))
        use = gpu_use(labels, machine[0], lambda *_, owner=owner: owner) if machine else None
        if machine and use and WorkloadName.parse(use.workload).kind != _NOBODY:
            yield machine, Allocation(use.workload, use.instance, gpu_uuids=(use.gpu_uuid,))
