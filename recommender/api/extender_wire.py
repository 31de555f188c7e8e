"""The body of a kube-scheduler extender call and its answers (k8s.io/kube-scheduler/extender/v1).

Go's structs there have no JSON tags: keys are the fields' names, capitalised. Go reads them in any case, and so do we.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, Field

from recommender.admission.wire import Pod
from recommender.view_query import QueryError

T = TypeVar("T")
MOST_NODES = 20_000


class ExtenderArgs(BaseModel):
    """What kube-scheduler posts. With `nodeCacheCapable: true` it names nodes and sends none."""

    Pod: dict[str, Any] = Field(description="the pod, core/v1", examples=[{"metadata": {"name": "train-0"}}])
    NodeNames: list[str] | None = Field(default=None, max_length=MOST_NODES, examples=[["gpu-1", "gpu-2"]])
    Nodes: dict[str, Any] | None = Field(default=None, description="a NodeList, without `nodeCacheCapable`")


class FilterResult(BaseModel):
    Nodes: dict[str, Any] | None = Field(description="a NodeList of those that pass, where one was sent")
    NodeNames: list[str] | None = Field(description="those that pass, where names were sent")
    FailedNodes: dict[str, str] = Field(description="the others and why; room may become free there")
    FailedAndUnresolvableNodes: dict[str, str] = Field(description="the others and why; nothing can become free there")
    Error: str = Field(description="always empty: an extender that fails lets every node pass")


class HostPriority(BaseModel):
    Host: str = Field(examples=["gpu-1"])
    Score: int = Field(ge=0, le=10, examples=[7])


@dataclass(frozen=True, slots=True)
class Call:
    """names: of the nodes, in the order of the call. items: the node objects, where they were sent."""

    pod: Pod
    names: Sequence[str]
    items: Sequence[Mapping[str, Any]] | None


class _Metadata(msgspec.Struct):
    name: str


class _Node(msgspec.Struct):
    metadata: _Metadata


class _NodeList(msgspec.Struct):
    items: list[dict[str, Any]] | None = None


_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_POD = msgspec.json.Decoder(Pod)
_NAMES = msgspec.json.Decoder(list[str] | None)
_NODES = msgspec.json.Decoder(_NodeList | None)
"""Made once, at import: msgspec's first look at a type is not safe from several threads."""


def read_call(body: bytes) -> Call:
    """Raises QueryError for a body that is no such call."""
    parts = {key.lower(): raw for key, raw in _decoded(body, _PARTS, "body").items()}
    if "pod" not in parts:
        raise QueryError("Pod", None, "send the pod that is to be scheduled")
    pod = _decoded(parts["pod"], _POD, "Pod")
    names = _decoded(parts.get("nodenames", b"null"), _NAMES, "NodeNames")
    nodes = _decoded(parts.get("nodes", b"null"), _NODES, "Nodes")
    if names is None and nodes is not None:
        items = nodes.items or []
        return Call(pod, [_name(item) for item in items], items)
    if len(names or ()) > MOST_NODES:
        raise QueryError("NodeNames", len(names or ()), f"send at most {MOST_NODES} nodes")
    return Call(pod, names or [], None)


def _name(item: Mapping[str, Any]) -> str:
    try:
        return msgspec.convert(item, _Node).metadata.name
    except msgspec.ValidationError as error:
        raise QueryError("Nodes.items", None, f"every node has a metadata.name: {error}") from error


def _decoded(raw: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T], field: str) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise QueryError(field, None, f"it cannot be read: {error}") from error
