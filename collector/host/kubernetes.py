"""Names of pods and containers from what the kubelet and the container runtime leave on the node.

A cgroup's path holds ids only. The names are, in the order they are asked:
1. /var/log/containers/<pod>_<namespace>_<container>-<id>.log: links that the kubelet keeps for each container;
2. config.json of the container in containerd's or CRI-O's run folder: annotations with names and image, and with CRI-O
   labels; and the command. It is asked first, because it says most;
3. /var/log/pods/<namespace>_<pod>_<uid>/<container>/: enough when the pod has one container.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from collector.host.command_line import command_line
from collector.host.files import read_if_there
from collector.host.found import KubeContainer

_LINKS = "var/log/containers"
_LOGS = "var/log/pods"
_BUNDLES = (
    "run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json",
    "run/containers/storage/overlay-containers/{id}/userdata/config.json",
    "var/lib/containers/storage/overlay-containers/{id}/userdata/config.json",
)

_IMAGE_NOTES = ("io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName", "io.kubernetes.cri-o.Image")
"""containerd's since 1.6; CRI-O's name, and in versions before 1.30 that alone which the pod asked for."""


@dataclass(frozen=True, slots=True)
class PodName:
    """What the node knows of a container. `sandbox`: it only holds the pod's namespaces and does no work. image, command:
    as the runtime was told; empty where it does not say."""

    namespace: str
    pod: str
    container: str
    labels: Mapping[str, str] = field(default_factory=dict)
    sandbox: bool = False
    image: str = ""
    command: str = ""


class _Process(msgspec.Struct):
    args: list[str] | None = None


class _Bundle(msgspec.Struct):
    """The part of an OCI config.json that names."""

    annotations: dict[str, str] = {}
    process: _Process | None = None


class PodNames:
    """Looks names up under the root of the host's files."""

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/")

    def find(self, container: KubeContainer) -> PodName | None:
        """The names, or None when the node does not give them (yet: a link appears after its container)."""
        return self._by_bundle(container) or self._by_link(container) or self._by_logs(container)

    def _by_link(self, container: KubeContainer) -> PodName | None:
        tail = f"-{container.container_id}.log"
        for name in _listed(f"{self._root}/{_LINKS}"):
            if name.endswith(tail) and name.count("_") == 2:
                pod, namespace, rest = name.split("_")
                return PodName(namespace, pod, rest.removesuffix(tail))
        return None

    def _by_bundle(self, container: KubeContainer) -> PodName | None:
        for pattern in _BUNDLES:
            data = read_if_there(f"{self._root}/{pattern.format(id=container.container_id)}")
            if data and (name := _name_in(data)):
                return name
        return None

    def _by_logs(self, container: KubeContainer) -> PodName | None:
        for folder in _listed(f"{self._root}/{_LOGS}"):
            if folder.endswith(f"_{container.pod_uid}") and folder.count("_") == 2:
                namespace, pod, _ = folder.split("_")
                names = _listed(f"{self._root}/{_LOGS}/{folder}")
                return PodName(namespace, pod, names[0]) if len(names) == 1 else None
        return None


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _name_in(bundle: bytes) -> PodName | None:
    """containerd writes io.kubernetes.cri.*, CRI-O io.kubernetes.* and io.kubernetes.cri-o.*."""
    try:
        read = msgspec.json.decode(bundle, type=_Bundle)
    except msgspec.MsgspecError:
        return None
    notes = read.annotations
    if "io.kubernetes.cri.sandbox-name" in notes:
        at, kind = "io.kubernetes.cri.{}", notes.get("io.kubernetes.cri.container-type")
        keys = ("sandbox-namespace", "sandbox-name", "container-name")
    elif "io.kubernetes.pod.name" in notes:
        at, kind = "io.kubernetes.{}", notes.get("io.kubernetes.cri-o.ContainerType")
        keys = ("pod.namespace", "pod.name", "container.name")
    else:
        return None
    namespace, pod, name = (notes.get(at.format(key), "") for key in keys)
    image = next((notes[key] for key in _IMAGE_NOTES if key in notes), "")
    command = command_line((read.process and read.process.args) or ())
    labels = _labels(notes.get("io.kubernetes.cri-o.Labels"))
    return PodName(namespace, pod, name, labels, kind == "sandbox", image, command)


def _labels(text: str | None) -> dict[str, str]:
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, str])
    except msgspec.MsgspecError:
        return {}
