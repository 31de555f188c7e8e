"""What nodes tell of the workloads that they hold: the image and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.inventory import Node


@dataclass(frozen=True, slots=True)
class Told:
    image: str = ""
    command: str = ""


NOTHING = Told()


def told_of(nodes: Mapping[str, Node]) -> dict[str, Told]:
    """By workload: what its newest node says. Two sources of a node may tell one each."""
    found: dict[str, Told] = {}
    for node in sorted(nodes.values(), key=lambda node: node.time_ms):
        for held in node.allocations:
            if held.image or held.command:
                before = found.get(held.workload, NOTHING)
                found[held.workload] = Told(held.image or before.image, held.command or before.command)
    return found
