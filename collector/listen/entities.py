"""What series are about: containers, pods, GPUs, machines; and where in a row their samples go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from collector.listen.layout import LAYOUTS, SIZES
from collector.names.foreign import Foreign
from collector.names.replicas import REPLICA_LABELS
from collector.names.table import foreign_by_name
from collector.names.who import PodContainer, container_of, first, gpu_use, machine_of, machine_workload, pod_of
from models.owners import Owner

Labels = dict[str, str]
EntityClass = Literal["container", "pod", "gpu", "machine", "size", "owner", "death"]
OwnerOfPod = Callable[[tuple[str, str, str]], Owner | None]
"""(cluster label, namespace, pod) to the pod's owner; None when it is not known."""

OWNERS = ("kube_pod_owner", "kube_replicaset_owner", "kube_job_owner")
"""Metrics of kube-state-metrics whose labels alone say something."""
DEATH_REASON, DEATH_RESTARTS = 0, 1
"""Slots of a death."""
_DEATHS = {
    "kube_pod_container_status_last_terminated_reason": DEATH_REASON,
    "kube_pod_container_status_restarts_total": DEATH_RESTARTS,
}
_OOM_KILLED = "OOMKilled"
_BY = ("job", *REPLICA_LABELS)
_CLUSTER = ("cluster", "k8s.cluster.name", "k8s_cluster_name")


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing that samples are of; `who` tells two of a class apart. A `size` is the requests and limits of a container,
    an `owner` a series whose labels say who owns a pod, a `death` what is told of a container's restarts.
    """

    cls: EntityClass
    cluster: str
    who: tuple[str, ...]
    pod: PodContainer | None = field(default=None, compare=False)
    machines: tuple[str, ...] = field(default=(), compare=False)
    labels: Labels = field(default_factory=dict, compare=False)

    @property
    def pod_key(self) -> tuple[str, ...]:
        """Cluster label, namespace, pod."""
        return (self.cluster, self.pod.namespace, self.pod.pod) if self.pod else ()

    @property
    def container_key(self) -> tuple[str, ...]:
        """Cluster label, namespace, pod, container."""
        return (*self.pod_key, self.pod.container) if self.pod else ()

    def keys(self, cluster: str, owner_of: OwnerOfPod) -> tuple[str, ...]:
        """The key columns of its rows (models.telemetry). `cluster` names it where its labels do not."""
        name = cluster or self.cluster or "prometheus"
        if self.cls == "gpu":
            use = gpu_use(self.labels, name, lambda namespace, pod, node: owner_of((self.cluster, namespace, pod)))
            return use.keys if use else ("",) * 5
        if self.pod:
            owner = owner_of((self.cluster, self.pod.namespace, self.pod.pod))
            return str(self.pod.workload(name, owner)), self.pod.instance
        return str(machine_workload(name, self.who[0])), self.who[0]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a series says: of which entity, and its slot in the layout of the entity's kind (of a size: which of SIZES).

    by: who brings it. Two scrape jobs of one exporter, or two replicas of one Prometheus, bring the same twice."""

    entity: Entity
    slot: int
    by: str


def meaning_of(labels: Labels) -> Meaning | None:
    """What a series says; None: nothing that is a signal."""
    name = labels.get("__name__", "")
    if name in OWNERS:
        return Meaning(Entity("owner", first(labels, _CLUSTER), tuple(sorted(labels.values())), labels=labels), 0, "")
    if name in _DEATHS:
        return _death(_DEATHS[name], labels)
    foreign = foreign_by_name(name, labels)
    if foreign is None:
        return _other(name, labels)
    entity = entity_of(foreign, labels)
    if entity is None:
        return None
    slot = SIZES.index(foreign.signal) if entity.cls == "size" else LAYOUTS[foreign.kind].slot(foreign).index
    return Meaning(entity, slot, _by(labels))


def entity_of(foreign: Foreign, labels: Labels) -> Entity | None:
    """Whose sample it is; None when the labels do not say."""
    cluster = first(labels, _CLUSTER)
    if foreign.of == "gpu":
        use = gpu_use(labels, cluster)
        return Entity("gpu", cluster, use.keys, labels=labels) if use else None
    if foreign.of == "machine":
        machines = machines_of(labels)
        return Entity("machine", cluster, machines) if machines else None
    pod = container_of(labels) if foreign.of == "container" else pod_of(labels)
    if pod is None:
        return None
    if foreign.of == "pod":
        return Entity("pod", cluster, (pod.namespace, pod.pod), pod)
    if foreign.signal in SIZES:
        return Entity("size", cluster, (pod.namespace, pod.pod, pod.container), pod)
    who = (pod.namespace, pod.pod, pod.container, pod.instance)
    return Entity("container", cluster, who, pod, machines_of(labels))


def machines_of(labels: Labels) -> tuple[str, ...]:
    """Name and address of the machine that labels speak of, which may be the same; the better name first."""
    return tuple(filter(None, (machine_of(labels), machine_of({"instance": labels.get("instance", "")}))))


def _death(slot: int, labels: Labels) -> Meaning | None:
    pod = container_of(labels)
    if pod is None or labels.get("reason", _OOM_KILLED) != _OOM_KILLED:
        return None
    return Meaning(
        Entity("death", first(labels, _CLUSTER), (pod.namespace, pod.pod, pod.container), pod), slot, _by(labels)
    )


def _by(labels: Labels) -> str:
    return "/".join(labels.get(name, "") for name in _BY)


def _other(name: str, labels: Labels) -> Meaning | None:
    """A metric that only another one needs."""
    for layout in LAYOUTS.values():
        slot = layout.other(name)
        if slot and (entity := entity_of(slot.foreign, labels)):
            return Meaning(entity, slot.index, _by(labels))
    return None
