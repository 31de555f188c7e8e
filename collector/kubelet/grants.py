"""Which containers hold which GPUs, by the kubelet's word, asked again every few seconds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from collector.kubelet.messages import Container, MalformedError, allocatable, containers

_SOCKET = "pod-resources/kubelet.sock"
_LIST, _ALLOCATABLE = "/v1.PodResourcesLister/List", "/v1.PodResourcesLister/GetAllocatableResources"
_TIMEOUT_S = 2.0
_ASK_MS = 10_000
"""A pod holds its devices for as long as it lives; the kubelet asks for no more than this."""
_VENDOR, _DRA_DRIVER = "nvidia.com/", "gpu.nvidia.com"
_REPLICA = re.compile(r"::\d+$")
"""The device plugin gives the replicas of a time-sliced GPU its UUID and a number."""
_UUID = re.compile(r"(?:GPU|MIG)-[0-9a-fA-F-]{36}")


class Grant(NamedTuple):
    """A container and a device that it holds: its UUID, or the name that the DRA driver gives it (`gpu-0`).

    share: of a time-sliced GPU, its replicas over all that the node offers; None: it is not sliced, or nobody says how finely.
    """

    namespace: str
    pod: str
    container: str
    device: str
    share: float | None = None


class Grants:
    """The newest answer of one node's kubelet."""

    def __init__(self, folder: str) -> None:
        """`folder`: the kubelet's, mostly /var/lib/kubelet. Nothing is loaded before its socket is there."""
        self._path = Path(folder, _SOCKET)
        self._next_ms = 0
        self._found: tuple[Grant, ...] = ()
        self.error = ""
        """Why the kubelet does not answer, with the mend; empty when it does, or is not there."""

    def read(self, now_ms: int) -> tuple[Grant, ...]:
        """What is held now; empty where there is no kubelet or it does not answer."""
        if now_ms >= self._next_ms:
            self._next_ms = now_ms + _ASK_MS
            self._found = tuple(self._ask()) if self._path.exists() else ()
        return self._found

    def _ask(self) -> list[Grant]:
        from collector.kubelet.grpc import GrpcError, call  # 1.4 MB with h2: only where there is a kubelet

        try:
            holders = list(containers(call(str(self._path), _LIST, b"", _TIMEOUT_S)))
            found = list(grants(holders, self._replicas(holders)))
        except (OSError, GrpcError, MalformedError) as error:
            self.error = f"the kubelet does not say which pod holds which GPU ({error}); is {self._path} its socket?"
            return []
        self.error = ""
        return found

    def _replicas(self, holders: Iterable[Container]) -> Mapping[str, int]:
        """Into how many replicas the node cuts each GPU. Asked only where somebody holds one; a kubelet before 1.23 does
        not answer, which says nothing of who holds what."""
        from collector.kubelet.grpc import GrpcError, call

        if not any(_REPLICA.search(device) for one in holders for device in _plugged(one.plugged)):
            return {}
        try:
            offered = list(allocatable(call(str(self._path), _ALLOCATABLE, b"", _TIMEOUT_S)))
        except (OSError, GrpcError, MalformedError):
            return {}
        return _counted(offered)


def grants(holders: Iterable[Container], replicas: Mapping[str, int]) -> Iterator[Grant]:
    """The GPUs among the devices of containers, each once. replicas: by UUID, of those that are time-sliced."""
    for container in holders:
        mine = _counted(container.plugged)
        by_plugin = (_REPLICA.sub("", device) for device in _plugged(container.plugged))
        for device in dict.fromkeys((*by_plugin, *_by_claim(container))):
            share = min(mine[device] / replicas[device], 1.0) if device in mine and device in replicas else None
            yield Grant(container.namespace, container.pod, container.name, device, share)


def _counted(devices: Iterable[tuple[str, tuple[str, ...]]]) -> Mapping[str, int]:
    """Replicas by the UUID of their GPU."""
    return Counter(_REPLICA.sub("", device) for device in _plugged(devices) if _REPLICA.search(device))


def _plugged(devices: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    """NVIDIA's among the devices of a plugin."""
    for resource, names in devices:
        if resource.startswith(_VENDOR):
            yield from names


def _by_claim(container: Container) -> Iterator[str]:
    for claim in container.claimed:
        named = [match[0] for name in claim.cdi if (match := _UUID.search(name))]
        if claim.driver == _DRA_DRIVER or named:
            yield from named or [claim.device]
