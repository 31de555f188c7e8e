"""Something worked out per node, and only for nodes that reported anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from models.inventory import Node

T = TypeVar("T")


class PerNode(Generic[T]):
    """Nodes of a snapshot that did not report anew are the same objects as in the one before."""

    def __init__(self, work_out: Callable[[Node], T]) -> None:
        self._work_out = work_out
        self._known: dict[str, tuple[Node, T]] = {}

    def of(self, nodes: Mapping[str, Node]) -> Mapping[str, T]:
        """By the same keys, in their order."""
        self._known = {key: self._entry(key, node) for key, node in nodes.items()}
        return {key: made for key, (_, made) in self._known.items()}

    def _entry(self, key: str, node: Node) -> tuple[Node, T]:
        known = self._known.get(key)
        return known if known is not None and known[0] is node else (node, self._work_out(node))
