"""The rules and owners of a cluster as they are told: written by threads that watch, read by reviews."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from models.owners import Owner
from models.quantity import parse_quantity
from recommender.admission.facts import Bounds, NamespaceFacts
from recommender.admission.mode import Mode

V = TypeVar("V")


class Table(Generic[V]):
    """Objects of one kind by namespace and name. One thread writes; a reader sees what one namespace has before or after
    a change and never half of it, as its dictionary is swapped as a whole."""

    def __init__(self) -> None:
        self._objects: dict[str, Mapping[str, V]] = {}
        self.complete = False
        """Whether all that there is was told once."""
        self.version = 0

    def of(self, namespace: str) -> Mapping[str, V]:
        return self._objects.get(namespace, {})

    def replace(self, objects: Iterable[tuple[str, str, V]]) -> None:
        """(namespace, name, value) of all that there is."""
        fresh: dict[str, dict[str, V]] = {}
        for namespace, name, value in objects:
            fresh.setdefault(namespace, {})[name] = value
        self._objects = dict(fresh)
        self.complete = True
        self.version += 1

    def put(self, namespace: str, name: str, value: V) -> None:
        self._objects[namespace] = {**self.of(namespace), name: value}
        self.version += 1

    def drop(self, namespace: str, name: str) -> None:
        left = {known: value for known, value in self.of(namespace).items() if known != name}
        if left:
            self._objects[namespace] = left
        else:
            self._objects.pop(namespace, None)
        self.version += 1


@dataclass(frozen=True, slots=True)
class RangeRule:
    """One item of a LimitRange, quantities as they are written."""

    type: str
    least: Mapping[str, str]
    most: Mapping[str, str]
    ratio: Mapping[str, str]


class ClusterFacts:
    """What `Facts` asks for, over a table of each kind. A namespace stands in its own; the value of a quota is the names of
    what it counts, of a VPA the owner that it sizes, None when it only recommends."""

    def __init__(self) -> None:
        self.namespaces: Table[Mode | None] = Table()
        self.limit_ranges: Table[tuple[RangeRule, ...]] = Table()
        self.quotas: Table[tuple[str, ...]] = Table()
        self.replica_sets: Table[Owner | None] = Table()
        self.jobs: Table[Owner | None] = Table()
        self.vpas: Table[Owner | None] = Table()
        self._merged: dict[str, tuple[int, NamespaceFacts]] = {}

    def namespace(self, name: str) -> NamespaceFacts | None:
        rules = (self.namespaces, self.limit_ranges, self.quotas)
        if not all(table.complete for table in rules) or name not in self.namespaces.of(name):
            self._merged.pop(name, None)
            return None
        version = sum(table.version for table in rules)
        seen, facts = self._merged.get(name, (-1, None))
        if facts is None or seen != version:
            facts = self._merge(name)
            self._merged[name] = version, facts
        return facts

    def parent(self, namespace: str, kind: str, name: str) -> Owner | None:
        table = {"ReplicaSet": self.replica_sets, "Job": self.jobs}.get(kind)
        return table.of(namespace).get(name) if table else None

    def has_vpa(self, namespace: str, owner: Owner) -> bool:
        return owner in self.vpas.of(namespace).values()

    def _merge(self, name: str) -> NamespaceFacts:
        rules = [rule for found in self.limit_ranges.of(name).values() for rule in found]
        counted = {resource_of(key) for quota in self.quotas.of(name).values() for key in quota}
        container, pod = (merged_bounds(rule for rule in rules if rule.type == type_) for type_ in ("Container", "Pod"))
        return NamespaceFacts(self.namespaces.of(name)[name], container, pod, frozenset(counted))


def merged_bounds(rules: Iterable[RangeRule]) -> Mapping[str, Bounds]:
    """By resource: what all of them allow. Raises QuantityError."""
    found = list(rules)
    names = {name for rule in found for part in (rule.least, rule.most, rule.ratio) for name in part}
    return {
        name: Bounds(
            _strictest(max, name, (rule.least for rule in found)),
            _strictest(min, name, (rule.most for rule in found)),
            _strictest(min, name, (rule.ratio for rule in found)),
        )
        for name in names
    }


def resource_of(key: str) -> str:
    """The resource that a ResourceQuota counts by this key: `cpu`, `requests.cpu` and `limits.cpu` are one."""
    return key.removeprefix("requests.").removeprefix("limits.")


def _strictest(
    pick: Callable[[Iterable[Decimal]], Decimal], name: str, parts: Iterable[Mapping[str, str]]
) -> Decimal | None:
    values = [parse_quantity(part[name], name) for part in parts if name in part]
    return pick(values) if values else None
