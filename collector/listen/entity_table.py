"""Entities by number, with what is kept of each in columns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from collector.listen.entities import Entity, EntityClass
from collector.listen.layout import SIZES

CLASSES: tuple[EntityClass, ...] = ("container", "machine", "gpu", "pod", "size", "owner", "death")
"""Their places are the codes in the column `cls`."""


class EntityTable:
    """cls: int8[n], place in CLASSES. newest_ms: int64[n], time of the newest row, 0 for none. sizes: float64[n, 4], the
    newest requests and limits, of entities that are sizes. n grows and is at least the number of entities."""

    def __init__(self) -> None:
        self._entities: list[Entity] = []
        self._numbers: dict[Entity, int] = {}
        self._free: list[int] = []
        self.cls = np.zeros(64, np.int8)
        self.newest_ms = np.zeros(64, np.int64)
        self.sizes = np.full((64, len(SIZES)), np.nan)

    def __getitem__(self, number: int) -> Entity:
        return self._entities[number]

    def __len__(self) -> int:
        return len(self._numbers)

    def find(self, entity: Entity) -> int | None:
        return self._numbers.get(entity)

    def of_class(self, cls: EntityClass) -> Iterator[tuple[int, Entity]]:
        return ((number, entity) for entity, number in self._numbers.items() if entity.cls == cls)

    def number(self, entity: Entity) -> int:
        """Its number, given now if it is new."""
        known = self._numbers.get(entity)
        if known is not None:
            return known
        number = self._free.pop() if self._free else len(self._entities)
        self._entities[number : number + 1] = [entity]
        self._numbers[entity] = number
        if number == len(self.cls):
            self._grow()
        self.cls[number], self.newest_ms[number] = CLASSES.index(entity.cls), 0
        self.sizes[number] = np.nan
        return number

    def free(self, number: int) -> None:
        """The entity has no series any more: its number may be given to another."""
        del self._numbers[self._entities[number]]
        self._free.append(number)

    def _grow(self) -> None:
        n = len(self.cls)
        self.cls = np.concatenate([self.cls, np.zeros(n, np.int8)])
        self.newest_ms = np.concatenate([self.newest_ms, np.zeros(n, np.int64)])
        self.sizes = np.concatenate([self.sizes, np.full((n, len(SIZES)), np.nan)])
