"""Entities into the key columns of rows, by what kube-state-metrics has said of their owners so far."""

from __future__ import annotations

from collections import defaultdict

from collector.listen.entities import Entity, OwnerOfPod
from collector.listen.series import SeriesIndex
from collector.prometheus.answer import Series, labelled
from collector.prometheus.facts import FactReader
from models.owners import Owner


class Naming:
    """Remembers names until an owner comes or goes."""

    def __init__(self, cluster: str, index: SeriesIndex) -> None:
        self._cluster, self._index = cluster, index
        self._facts = FactReader()
        self._version = -1
        self._owner_of: OwnerOfPod = dict[tuple[str, str, str], Owner]().get
        self._names: dict[int, tuple[Entity, tuple[str, ...]]] = {}

    def keys(self, number: int) -> tuple[str, ...]:
        """The key columns of an entity's rows. Call `refresh` before a batch of these."""
        entity = self._index.entities[number]
        known = self._names.get(number)
        if known is None or known[0] is not entity:  # its number was given to another
            known = self._names[number] = entity, entity.keys(self._cluster, self._owner_of)
        return known[1]

    def refresh(self) -> None:
        """Take in which owners are known by now."""
        if self._version != self._index.owners_version:
            self._version = self._index.owners_version
            self._names.clear()
            self._owner_of = self._owners().get

    def _owners(self) -> dict[tuple[str, str, str], Owner]:
        answers: defaultdict[str, list[Series]] = defaultdict(list)
        for _, entity in self._index.entities.of_class("owner"):
            labels = {**entity.labels, "cluster": entity.cluster}
            answers[labels["__name__"]].append(labelled(labels))
        return self._facts.owners(answers)
