"""A node of the Kubernetes API as a node of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import msgspec

from collector.kubernetes.spot import is_spot
from collector.source import SourceError
from models.inventory import Coverage, Node
from models.quantity import QuantityError, parse_quantity
from models.taints import CONDITIONS, CORDONED, Taint, united

SOURCE = "kubernetes-node"

MAX_LABELS = 512
"""A GPU node with all of node feature discovery and GPU feature discovery bears about 150."""

_LONGEST_KEY, _LONGEST_VALUE = 253 + 1 + 63, 63
"""By the rules of Kubernetes: a DNS name, a slash and a name; and a value."""
_ZONES = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")


class _Metadata(msgspec.Struct):
    name: str
    labels: dict[str, str] | None = None


class _Taint(msgspec.Struct):
    key: str
    effect: str
    value: str | None = None


class _Spec(msgspec.Struct):
    unschedulable: bool | None = None
    taints: list[_Taint] | None = None


class _Condition(msgspec.Struct):
    type: str
    status: str


class _Status(msgspec.Struct):
    allocatable: dict[str, str] | None = None
    conditions: list[_Condition] | None = None


class _NodeObject(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec | None = None
    status: _Status = msgspec.field(default_factory=_Status)


def node_of(body: bytes, cluster: str, name: str, time_ms: int) -> Node:
    """`body`: a Node of core/v1 as JSON. Raises SourceError when it is none, or that of another node."""
    try:
        read = msgspec.json.decode(body, type=_NodeObject)
    except msgspec.MsgspecError as error:
        raise SourceError(f"the answer is no Kubernetes node: {error}; is that the Kubernetes API?") from error
    if read.metadata.name != name:
        raise SourceError(f"asked for node {name!r}, got {read.metadata.name!r}; is that the Kubernetes API?")
    told = read.metadata.labels or {}
    labels, room = bounded(told), read.status.allocatable or {}
    cpu, memory = _amount(room, "cpu"), _amount(room, "memory")
    return Node(
        cluster,
        name,
        time_ms,
        labels=labels,
        zone=next((labels[key] for key in _ZONES if labels.get(key)), ""),
        spot=is_spot(labels),
        allocatable_cpu_cores=cpu,
        allocatable_memory_bytes=None if memory is None else int(memory),
        taints=None if read.spec is None else united((_set(read.spec), _meant(read.spec, read.status))),
        coverage=() if len(labels) == len(told) else (_left_out(len(told) - len(labels)),),
    )


def _set(spec: _Spec) -> Iterator[Taint]:
    for taint in spec.taints or ():
        yield Taint(taint.key, taint.effect, taint.value or "")


def _meant(spec: _Spec, status: _Status) -> Iterator[Taint]:
    """What the node controller will set as a taint in a moment, where it has not yet."""
    if spec.unschedulable:
        yield CORDONED
    for condition in status.conditions or ():
        if taint := CONDITIONS.get((condition.type, condition.status)):
            yield taint


def bounded(told: Mapping[str, str]) -> dict[str, str]:
    """In the order of their names, so that the same ones are kept each time. What Kubernetes would not take as a label is
    left out."""
    fit = (key for key in sorted(told) if len(key) <= _LONGEST_KEY and len(told[key]) <= _LONGEST_VALUE)
    return {key: told[key] for key in islice(fit, MAX_LABELS)}


def _left_out(number: int) -> Coverage:
    reason = f"{number} labels are left out: the first {MAX_LABELS} by name, with values of {_LONGEST_VALUE}, are kept"
    return Coverage(SOURCE, "labels", seen=False, reason=reason)


def _amount(room: Mapping[str, str], resource: str) -> float | None:
    """None where it is not told, is no quantity, or nothing."""
    try:
        amount = float(parse_quantity(room.get(resource), f"status.allocatable.{resource}"))
    except QuantityError:
        return None
    return amount if amount > 0 else None
