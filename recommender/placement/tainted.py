"""Taints of many nodes as columns: nodes of a cluster bear a few sets of them, so that each set is judged once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.taints import EFFECTS, PREFER_NO_SCHEDULE, Taint, Toleration, forbidding, unwelcome
from recommender.placement.request import Bools, Ints

Taints = tuple[Taint, ...] | None
"""Of one node; None: no source tells."""


@dataclass(frozen=True, slots=True)
class Tainted:
    """sets [k]: the taints that some node bears; of_node [n]: which of them each node does. forbids, dissuades: whether any
    taint of any set may keep a pod off, or make it go elsewhere if it can."""

    sets: tuple[Taints, ...]
    of_node: Ints
    forbids: bool
    dissuades: bool

    @classmethod
    def of(cls, nodes: Sequence[Taints]) -> Tainted:
        number: dict[Taints, int] = {}
        of_node = [number.setdefault(taints, len(number)) for taints in nodes]
        effects = {taint.effect for taints in number for taint in taints or ()}
        return cls(
            tuple(number),
            np.array(of_node, dtype=np.int64),
            bool(effects.intersection(EFFECTS) - {PREFER_NO_SCHEDULE}),
            PREFER_NO_SCHEDULE in effects,
        )

    def take(self, nodes: Ints) -> Tainted:
        """Of these nodes alone."""
        if not self.sets:
            return self
        return Tainted(self.sets, self.of_node[nodes], self.forbids, self.dissuades)

    def bearable(self, tolerations: Sequence[Toleration]) -> Bools:
        """[n] nodes where no taint keeps off who has these tolerations, as far as sources tell."""
        fits = np.array([not forbidding(taints or (), tolerations) for taints in self.sets], dtype=bool)
        return np.asarray(fits[self.of_node])

    def unwelcome(self, tolerations: Sequence[Toleration]) -> Ints:
        """[n] taints of each node for which to go elsewhere."""
        counts = [len(unwelcome(taints or (), tolerations)) for taints in self.sets]
        return np.asarray(np.array(counts, dtype=np.int64)[self.of_node])

    def forbidding(self, tolerations: Sequence[Toleration]) -> Iterator[tuple[Bools, tuple[Taint, ...]]]:
        """([n] nodes, the taints that keep off them), per set that does."""
        for number, taints in enumerate(self.sets):
            if against := forbidding(taints or (), tolerations):
                yield self.of_node == number, against

    @property
    def unknown(self) -> int:
        """Nodes of which no source tells."""
        return int(np.isin(self.of_node, [n for n, taints in enumerate(self.sets) if taints is None]).sum())


UNTAINTED = Tainted((), np.zeros(0, dtype=np.int64), forbids=False, dissuades=False)
"""Of nodes, however many, without any taint, as those of a trace are."""
