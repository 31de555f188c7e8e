"""The part of the kubelet's podresources/v1 messages that is read (k8s.io/kubelet/pkg/apis/podresources/v1/api.proto).

Read by hand: the wire format is a list of numbered fields, four of five kinds of which are skipped here, and the
protobuf package takes 4.4 MB for it. Tests hold it to that package's own encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_TEXT_OR_MESSAGE = 2
_FIXED_BYTES = {1: 8, 5: 4}
_MAX_VARINT_BYTES = 10


class MalformedError(ValueError):
    """Bytes that are no protobuf message."""


class Claimed(NamedTuple):
    """A device that a container got by dynamic resource allocation. `cdi`: names of the Container Device Interface."""

    driver: str
    device: str
    cdi: tuple[str, ...]


class Container(NamedTuple):
    """A container and its devices: by resource name of a device plugin, and by claim."""

    namespace: str
    pod: str
    name: str
    plugged: tuple[tuple[str, tuple[str, ...]], ...]
    claimed: tuple[Claimed, ...]


def containers(response: bytes) -> Iterator[Container]:
    """Those of a ListPodResourcesResponse. Raises MalformedError."""
    for pod in _all(response, 1):
        name, namespace = _text(pod, 1), _text(pod, 2)
        for container in _all(pod, 3):
            plugged = tuple((_text(found, 1), _texts(found, 2)) for found in _all(container, 2))
            claims = (claim for resource in _all(container, 5) for claim in _all(resource, 4))
            claimed = tuple(
                Claimed(_text(claim, 2), _text(claim, 4), tuple(_text(cdi, 1) for cdi in _all(claim, 1)))
                for claim in claims
            )
            yield Container(namespace, name, _text(container, 1), plugged, claimed)


def allocatable(response: bytes) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(resource, devices) of an AllocatableResourcesResponse. Raises MalformedError."""
    yield from ((_text(found, 1), _texts(found, 2)) for found in _all(response, 1))


def _text(message: bytes, number: int) -> str:
    """The last one of a field that does not repeat; empty when it is not there."""
    return next(reversed(_texts(message, number)), "")


def _texts(message: bytes, number: int) -> tuple[str, ...]:
    return tuple(found.decode("utf-8", "replace") for found in _all(message, number))


def _all(message: bytes, wanted: int) -> Iterator[bytes]:
    """The content of every field of this number that is a text or a message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _, at = _varint(message, at)
            continue
        size, at = _varint(message, at) if kind == _TEXT_OR_MESSAGE else (_FIXED_BYTES.get(kind, 0), at)
        if at + size > len(message) or (kind != _TEXT_OR_MESSAGE and kind not in _FIXED_BYTES):
            raise MalformedError(f"field {number} of kind {kind} with {size} bytes does not fit into the message")
        if number == wanted and kind == _TEXT_OR_MESSAGE:
            yield message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Its value, and where what follows it begins."""
    value = 0
    for i, byte in enumerate(message[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, at + i + 1
    raise MalformedError(f"the number at byte {at} has no end")
