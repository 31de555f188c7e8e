"""Names of pods and containers from what the kubelet and the container runtime leave on the node.

A cgroup's path holds ids only. The names are, in the order they are asked:
1. /var/log/containers/<pod>_<namespace>_<container>-<id>.log: links that the kubelet keeps for each container;
2. config.json of the container in containerd's or CRI-O's run folder: annotations with names, and with CRI-O labels;
3. /var/log/pods/<namespace>_<pod>_<uid>/<container>/: enough when the pod has one container.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from collector.host.files import read_if_there
from collector.host.found import KubeContainer

_LINKS = "var/log/containers"
_LOGS = "var/log/pods"
_BUNDLES = (
    "run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json",
    "run/containers/storage/overlay-containers/{id}/userdata/config.json",
    "var/lib/containers/storage/overlay-containers/{id}/userdata/config.json",
)


@dataclass(frozen=True, slots=True)
class PodName:
    """What the node knows of a container. `sandbox`: it only holds the pod's namespaces and does no work."""

    namespace: str
    pod: str
    container: str
    labels: Mapping[str, str] = field(default_factory=dict)
    sandbox: bool = False


class _Bundle(msgspec.Struct):
    """The part of an OCI config.json that names."""

    annotations: dict[str, str] = {}


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
        notes = msgspec.json.decode(bundle, type=_Bundle).annotations
    except msgspec.MsgspecError:
        return None
    if "io.kubernetes.cri.sandbox-name" in notes:
        at, kind = "io.kubernetes.cri.{}", notes.get("io.kubernetes.cri.container-type")
        keys = ("sandbox-namespace", "sandbox-name", "container-name")
    elif "io.kubernetes.pod.name" in notes:
        at, kind = "io.kubernetes.{}", notes.get("io.kubernetes.cri-o.ContainerType")
        keys = ("pod.namespace", "pod.name", "container.name")
    else:
        return None
    namespace, pod, name = (notes.get(at.format(key), "") for key in keys)
    return PodName(namespace, pod, name, _labels(notes.get("io.kubernetes.cri-o.Labels")), sandbox=kind == "sandbox")


def _labels(text: str | None) -> dict[str, str]:
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, str])
    except msgspec.MsgspecError:
        return {}
