"""Foreign labels into workloads, by the names that the host source gives, so that one workload has one profile
whichever way its telemetry came.

`exported_*` labels win: Prometheus renames an exporter's labels so when its own target labels have the same name and
`honor_labels` is off, and then `pod` is the exporter's own pod. OpenTelemetry's attributes are read with dots and,
as Prometheus writes them, with underscores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from collector.host.found import KubeContainer
from collector.host.recognise import recognise
from models.owners import Owner, owner_of
from models.workload import WorkloadName

Labels = Mapping[str, str]
OwnerOf = Callable[[str, str, str], Owner | None]
"""(namespace, pod, node) to the pod's owner; None when it is not known and the pod's name must tell."""

_NAMESPACE = ("exported_namespace", "namespace", "pod_namespace", "k8s.namespace.name", "k8s_namespace_name")
_POD = ("exported_pod", "pod", "pod_name", "k8s.pod.name", "k8s_pod_name")
_CONTAINER = ("exported_container", "container", "container_name", "k8s.container.name", "k8s_container_name")
_UID = ("pod_uid", "exported_uid", "uid", "k8s.pod.uid", "k8s_pod_uid")
_CONTAINER_ID = ("container_id", "container.id")
_NODE = ("exported_node", "node", "Hostname", "hostname", "nodename", "kubernetes_io_hostname", "kubernetes_node",
         "k8s.node.name", "k8s_node_name", "host.name", "host_name", "instance")  # fmt: skip
_GPU_HOST = ("Hostname", "hostname", *_NODE)
_GPU_UUID = ("UUID", "uuid", "hw.id", "hw_id")
_GPU_MODEL = ("modelName", "model", "hw.name", "hw_name", "hw.model", "hw_model")
_MIG_UUID = ("dra_mig_device_uuid",)
_MIG_PROFILE = ("GPU_I_PROFILE", "dra_mig_profile")
_SANDBOX = "POD"
_EXPORTER = "dcgm-exporter"


@dataclass(frozen=True, slots=True)
class PodContainer:
    """A container as labels tell of it; what they do not tell is empty."""

    namespace: str
    pod: str
    container: str
    node: str = ""
    uid: str = ""
    container_id: str = ""

    @property
    def instance(self) -> str:
        """As the host source says it where the labels hold the ids, else the names."""
        if self.uid and self.container_id:
            return f"{self.uid}/{self.container_id[:12]}"
        return f"{self.pod}/{self.container}"

    def workload(self, cluster: str, owner: Owner | None = None) -> WorkloadName:
        """The stable name; without a known owner the pod's name tells what it can."""
        owner = owner or owner_of(self.pod, self.node)
        return WorkloadName(cluster, self.namespace, owner.kind, owner.name, self.container)


@dataclass(frozen=True, slots=True)
class GpuUse:
    """A GPU or MIG instance and who has it. The four text keys of a GPU row beside its workload and instance."""

    workload: str
    instance: str
    gpu_uuid: str
    gpu_model: str
    mig_profile: str

    @property
    def keys(self) -> tuple[str, str, str, str, str]:
        return self.workload, self.instance, self.gpu_uuid, self.gpu_model, self.mig_profile


def first(labels: Labels, names: tuple[str, ...]) -> str:
    """The first of these labels that is there and not empty."""
    for name in names:
        if value := labels.get(name):
            return value
    return ""


def machine_of(labels: Labels) -> str:
    """The machine that a series is about, without a port; empty when nothing says it."""
    name = first(labels, _NODE)
    host, colon, port = name.rpartition(":")
    return host if colon and port.isdigit() else name


def container_of(labels: Labels) -> PodContainer | None:
    """The container that a series is about; None when it is about none: a pod's sandbox, a whole pod, a machine."""
    found = pod_of(labels)
    return found if found and found.container not in ("", _SANDBOX) else None


def pod_of(labels: Labels) -> PodContainer | None:
    """The pod that a series is about, its container where there is one; None when it is about none."""
    pod = first(labels, _POD)
    if not pod:
        return None
    uid, container_id = _ids(labels)
    return PodContainer(
        first(labels, _NAMESPACE), pod, first(labels, _CONTAINER), machine_of(labels), uid, container_id
    )


def machine_workload(cluster: str, machine: str) -> WorkloadName:
    """A whole machine, for what nobody knows a finer owner of."""
    return WorkloadName(cluster, "host", "machine", machine)


def gpu_use(labels: Labels, cluster: str, owner_of_pod: OwnerOf | None = None) -> GpuUse | None:
    """Who has which GPU, from dcgm-exporter's labels; None when the series names no GPU.

    A GPU that no pod and no Slurm job has belongs to its machine. dcgm-exporter leaves the pod labels of such a GPU
    empty, and then a scrape without `honor_labels` shows the exporter's own pod: that is not who uses it.
    """
    uuid = first(labels, _GPU_UUID)
    if not uuid:
        return None
    host = first(labels, _GPU_HOST)
    workload, instance = _gpu_owner(labels, cluster, host, owner_of_pod)
    mig = first(labels, _MIG_PROFILE)
    if mig:
        uuid = first(labels, _MIG_UUID) or f"{uuid}/{labels.get('GPU_I_ID', '')}"
    return GpuUse(str(workload), instance, uuid, first(labels, _GPU_MODEL), mig)


def machine_use(use: GpuUse, labels: Labels, cluster: str) -> GpuUse:
    """The same GPU as its machine has it. labels: of a series of that GPU."""
    host = first(labels, _GPU_HOST)
    return replace(use, workload=str(_machine_of_gpu(cluster, host)), instance=host)


def _machine_of_gpu(cluster: str, host: str) -> WorkloadName:
    return machine_workload(cluster, machine_of({"instance": host}))


def _gpu_owner(labels: Labels, cluster: str, host: str, owner_of_pod: OwnerOf | None) -> tuple[WorkloadName, str]:
    if job := labels.get("hpc_job"):
        return WorkloadName(cluster, "", "slurm-job", f"job-{job}"), f"{job}@{host}"
    pod = pod_of(labels)
    if pod and not ("exported_pod" not in labels and _EXPORTER in pod.pod):
        owner = owner_of_pod(pod.namespace, pod.pod, pod.node) if owner_of_pod else None
        return pod.workload(cluster, owner), pod.instance
    return _machine_of_gpu(cluster, host), host


def _ids(labels: Labels) -> tuple[str, str]:
    """Pod uid and container id; cAdvisor has them in the cgroup path of `id`."""
    found = recognise(labels["id"]) if labels.get("id", "").count("/") > 1 else None
    if isinstance(found, KubeContainer):
        return found.pod_uid, found.container_id
    return first(labels, _UID), first(labels, _CONTAINER_ID)
