"""Which containers hold which GPUs, by the kubelet's word, asked again every few seconds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from collector.kubelet.messages import Container, MalformedError, containers

_SOCKET = "pod-resources/kubelet.sock"
_METHOD = "/v1.PodResourcesLister/List"
_TIMEOUT_S = 2.0
_ASK_MS = 10_000
"""A pod holds its devices for as long as it lives; the kubelet asks for no more than this."""
_VENDOR, _DRA_DRIVER = "nvidia.com/", "gpu.nvidia.com"
_REPLICA = re.compile(r"::\d+$")
"""The device plugin gives the replicas of a time-sliced GPU its UUID and a number."""
_UUID = re.compile(r"(?:GPU|MIG)-[0-9a-fA-F-]{36}")


class Grant(NamedTuple):
    """A container and a device that it holds: its UUID, or the name that the DRA driver gives it (`gpu-0`)."""

    namespace: str
    pod: str
    container: str
    device: str


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
            found = list(grants(containers(call(str(self._path), _METHOD, b"", _TIMEOUT_S))))
        except (OSError, GrpcError, MalformedError) as error:
            self.error = f"the kubelet does not say which pod holds which GPU ({error}); is {self._path} its socket?"
            return []
        self.error = ""
        return found


def grants(holders: Iterable[Container]) -> Iterator[Grant]:
    """The GPUs among the devices of containers, each once."""
    for container in holders:
        for device in dict.fromkeys((*_by_plugin(container), *_by_claim(container))):
            yield Grant(container.namespace, container.pod, container.name, device)


def _by_plugin(container: Container) -> Iterator[str]:
    for resource, devices in container.plugged:
        if resource.startswith(_VENDOR):
            yield from (_REPLICA.sub("", device) for device in devices)


def _by_claim(container: Container) -> Iterator[str]:
    for claim in container.claimed:
        named = [match[0] for name in claim.cdi if (match := _UUID.search(name))]
        if claim.driver == _DRA_DRIVER or named:
            yield from named or [claim.device]
