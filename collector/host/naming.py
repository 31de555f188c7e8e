"""Names for what was found: the stable workload name, the instance, and what the scheduler promised it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from collector.host.command_line import command_line
from collector.host.files import read_if_there
from collector.host.found import Found, KubeContainer, PlainContainer, SlurmStep
from collector.host.kubernetes import PodNames
from models.owners import owner_by_labels, owner_of
from models.workload import WorkloadName

_SLURM_KEYS = (
    "SLURM_JOB_NAME",
    "SLURM_JOB_ACCOUNT",
    "SLURM_CLUSTER_NAME",
    "SLURM_CPUS_ON_NODE",
    "SLURM_MEM_PER_NODE",
)
"""The only variables that are kept of a process's environment, which is full of secrets."""

_PODMAN = ("var/lib/containers/storage/overlay-containers/containers.json",)


@dataclass(frozen=True, slots=True)
class Named:
    """Who a found workload is.

    certain: False when the node did not give the name and ids stand in for it
    pod:     name of the pod, where there is one
    image, command: of a container; empty where the runtime does not say
    skip:    it does no work of its own (a pod's sandbox)
    cpu_request, memory_request: what a scheduler says in the environment, cores and bytes
    """

    name: WorkloadName
    instance: str
    certain: bool = True
    skip: bool = False
    cpu_request: float | None = None
    memory_request: int | None = None
    pod: str = ""
    image: str = ""
    command: str = ""


class Namer:
    """Names what is found on one node."""

    def __init__(self, cluster: str, node: str, proc: str, root: str) -> None:
        self._cluster, self._node, self._proc, self._root = cluster or node, node, proc, root.rstrip("/")
        self._own_cluster = bool(cluster)
        self._pods = PodNames(root)

    def name(self, found: Found, path: str, pids: Sequence[int]) -> Named:
        """The best name there is now. `pids`: processes in the cgroup."""
        if isinstance(found, KubeContainer):
            return self._pod(found)
        if isinstance(found, SlurmStep):
            return self._job(found, pids)
        if isinstance(found, PlainContainer):
            return self._container(found)
        kind = "user-unit" if found.user else "unit"
        return Named(self._host(kind, found.name), f"{self._node}{path}")

    def group(self, group: str) -> Named:
        """A group of plain processes, `command/NAME` or `unit/NAME`."""
        kind, _, name = group.partition("/")
        return Named(self._host(kind, name), f"{self._node}/{group}")

    def _host(self, kind: str, name: str) -> WorkloadName:
        return WorkloadName(self._cluster, "host", kind, name)

    def _pod(self, found: KubeContainer) -> Named:
        instance = f"{found.pod_uid}/{found.container_id[:12]}"
        pod = self._pods.find(found)
        if pod is None:
            name = WorkloadName(self._cluster, "", "Pod", found.pod_uid, found.container_id[:12])
            return Named(name, instance, certain=False)
        owner = owner_by_labels(pod.pod, dict(pod.labels)) or owner_of(pod.pod, self._node)
        name = WorkloadName(self._cluster, pod.namespace, owner.kind, owner.name, pod.container)
        return Named(name, instance, skip=pod.sandbox, pod=pod.pod, image=pod.image, command=pod.command)

    def _job(self, found: SlurmStep, pids: Sequence[int]) -> Named:
        known = slurm_environment(self._proc, pids)
        instance = f"{found.job_id}.{found.step}@{self._node}"
        cluster = self._cluster if self._own_cluster else known.get("SLURM_CLUSTER_NAME", self._cluster)
        job = known.get("SLURM_JOB_NAME")
        if job is None:
            name = WorkloadName(cluster, "", "slurm-job", f"job-{found.job_id}", found.step)
            return Named(name, instance, certain=False)
        name = WorkloadName(cluster, known.get("SLURM_JOB_ACCOUNT", ""), "slurm-job", job, found.step)
        cores, megabytes = known.get("SLURM_CPUS_ON_NODE", ""), known.get("SLURM_MEM_PER_NODE", "")
        return Named(
            name,
            instance,
            cpu_request=float(cores) if cores.isdigit() else None,
            memory_request=int(megabytes) << 20 if megabytes.isdigit() else None,
        )

    def _container(self, found: PlainContainer) -> Named:
        instance = f"{self._node}/{found.container_id[:12]}"
        if found.runtime == "docker":
            docker = self._docker(found.container_id)
            name, image, command = docker.name, docker.Config.Image, docker.command
        else:
            name, image, command = self._podman_name(found.container_id), "", ""
        given = WorkloadName(self._cluster, "host", "container", name or found.container_id[:12])
        return Named(given, instance, certain=name is not None, image=image, command=command)

    def _docker(self, container_id: str) -> _Docker:
        """Empty where it may not be read."""
        data = read_if_there(f"{self._root}/var/lib/docker/containers/{container_id}/config.v2.json")
        try:
            return msgspec.json.decode(data, type=_Docker) if data else _Docker()
        except msgspec.MsgspecError:
            return _Docker()

    def _podman_name(self, container_id: str) -> str | None:
        for file in _PODMAN:
            try:
                known = msgspec.json.decode(read_if_there(f"{self._root}/{file}") or b"[]", type=list[_Podman])
            except msgspec.MsgspecError:
                continue
            for container in known:
                if container.id == container_id and container.names:
                    return container.names[0]
        return None


class _DockerConfig(msgspec.Struct):
    Labels: dict[str, str] | None = None
    Image: str = ""


class _Docker(msgspec.Struct):
    """The part of docker's config.v2.json that names."""

    Name: str = ""
    Path: str = ""
    Args: list[str] | None = None
    Config: _DockerConfig = msgspec.field(default_factory=_DockerConfig)

    @property
    def name(self) -> str | None:
        """A compose service keeps its name over replicas and restarts; else what `docker run --name` gave."""
        labels = self.Config.Labels or {}
        project, service = (labels.get(f"com.docker.compose.{key}") for key in ("project", "service"))
        return f"{project}:{service}" if project and service else self.Name.lstrip("/") or None

    @property
    def command(self) -> str:
        return command_line([self.Path, *(self.Args or ())])


class _Podman(msgspec.Struct):
    """One entry of podman's containers.json."""

    id: str = ""
    names: list[str] = []


def slurm_environment(proc: str, pids: Sequence[int]) -> Mapping[str, str]:
    """What Slurm put into the environment of the first process that may be read; empty when none may."""
    for pid in pids:
        data = read_if_there(f"{proc}/{pid}/environ")
        if not data or b"SLURM_JOB_ID=" not in data:
            continue
        pairs = (entry.partition(b"=") for entry in data.split(b"\0"))
        known = {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, _, value in pairs}
        return {key: known[key] for key in _SLURM_KEYS if key in known}
    return {}


def processes_in(folder: str, depth: int = 3) -> list[int]:
    """Up to 8 process ids in a cgroup and those below it: v2 keeps processes in the leaves."""
    pids = [int(word) for word in (read_if_there(f"{folder}/cgroup.procs") or b"").split()[:8]]
    if pids or depth == 0:
        return pids
    try:
        children = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []
    for child in children:
        pids += processes_in(child, depth - 1)
    return pids[:8]
