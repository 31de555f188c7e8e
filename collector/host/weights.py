"""Which formula turned CPU requests into cgroup v2 weights on this node."""

from __future__ import annotations

from collections.abc import Iterable

from collector.host import parse
from collector.host.files import read_if_there
from collector.host.layout import Layout
from collector.host.requests import Formula, formula_of

_ROOTS = ("/kubepods.slice", "/kubepods")


class WeightFormula:
    """`value` is None until the node has shown it."""

    def __init__(self, layout: Layout) -> None:
        self._root = layout.trees.get("unified") if layout.unified else None
        self.value: Formula | None = None

    def look(self, containers: Iterable[tuple[str, int | None]], cores: float) -> None:
        """Compare pods with their containers: (path, weight) of every container on the node."""
        if self._root is None or self.value is not None:
            return
        weights: dict[str, list[int]] = {}
        for path, weight in containers:
            if weight is not None and weight > 1:
                weights.setdefault(path.rpartition("/")[0], []).append(weight)
        pods = ((self._weight(pod), found[0]) for pod, found in weights.items() if len(found) == 1)
        root = next((w for path in _ROOTS if (w := self._weight(path)) is not None), None)
        self.value = formula_of(root, cores, ((pod, own) for pod, own in pods if pod is not None))

    def _weight(self, path: str) -> int | None:
        return parse.number(read_if_there(f"{self._root}{path}/cpu.weight"))
