"""A JSON Patch (RFC 6902) of quantities and annotations, in which no array and no existing map is ever replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from recommender.admission.wire import Container, Metadata

Op = dict[str, str | dict[str, str]]
Part = Literal["requests", "limits"]
Where = Literal["containers", "initContainers"]


@dataclass(frozen=True, slots=True)
class Edit:
    """New quantities of one container, by part and resource; None takes one away."""

    where: Where
    index: int
    container: Container
    requests: Mapping[str, str | None]
    limits: Mapping[str, str | None]


def patch_of(edits: list[Edit], metadata: Metadata, annotations: Mapping[str, str]) -> list[Op]:
    """What makes the pod so; empty when it is so already."""
    return [op for edit in edits for op in _container(edit)] + list(_annotations(metadata, annotations))


def escaped(key: str) -> str:
    """One key of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _container(edit: Edit) -> Iterator[Op]:
    base = f"/spec/{edit.where}/{edit.index}/resources"
    resources = edit.container.resources
    parts: tuple[tuple[Part, Mapping[str, str | None]], ...] = (("requests", edit.requests), ("limits", edit.limits))
    ops: list[Op] = []
    for part, wanted in parts:
        ops += _quantities(f"{base}/{part}", getattr(resources, part, None), wanted)
    if ops and resources is None:
        yield {"op": "add", "path": base, "value": {}}
    yield from ops


def _quantities(path: str, now: Mapping[str, object] | None, wanted: Mapping[str, str | None]) -> list[Op]:
    have = now or {}
    ops: list[Op] = []
    for name, value in wanted.items():
        if value is None and name in have:
            ops.append({"op": "remove", "path": f"{path}/{escaped(name)}"})
        elif value is not None and have.get(name) != value:
            ops.append({"op": "add", "path": f"{path}/{escaped(name)}", "value": value})
    missing = now is None and any(op["op"] == "add" for op in ops)
    return [{"op": "add", "path": path, "value": {}}, *ops] if missing else ops


def _annotations(metadata: Metadata, wanted: Mapping[str, str]) -> Iterator[Op]:
    have = metadata.annotations or {}
    changed = {key: value for key, value in wanted.items() if have.get(key) != value}
    if changed and metadata.annotations is None:
        yield {"op": "add", "path": "/metadata/annotations", "value": {}}
    for key, value in changed.items():
        yield {"op": "add", "path": f"/metadata/annotations/{escaped(key)}", "value": value}
