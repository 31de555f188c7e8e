"""What the webhook knows of the cluster beside the pod: the rules of its namespace, and who owns what. Read before, by a
watch; a review only looks it up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from models.owners import Owner
from recommender.admission.mode import Mode


@dataclass(frozen=True, slots=True)
class Bounds:
    """One resource in a LimitRange: `min`, `max`, and `maxLimitRequestRatio`; None: not bounded."""

    least: Decimal | None = None
    most: Decimal | None = None
    ratio: Decimal | None = None

    def allow(self, request: Decimal, limit: Decimal) -> bool:
        """Whether a container or pod may have them; a limit of 0 is none."""
        if self.least is not None and min(request, limit or request) < self.least:
            return False
        if self.most is not None and max(request, limit) > self.most:
            return False
        return self.ratio is None or limit <= request * self.ratio


FREE = Bounds()


@dataclass(frozen=True, slots=True)
class NamespaceFacts:
    """mode: its label. container, pod: bounds by resource of LimitRanges of that type. counted: resources that a
    ResourceQuota counts, as requests or limits."""

    mode: Mode | None = None
    container: Mapping[str, Bounds] = field(default_factory=dict)
    pod: Mapping[str, Bounds] = field(default_factory=dict)
    counted: frozenset[str] = frozenset()


class Facts(Protocol):
    """Lookups of memory, from any thread."""

    def namespace(self, name: str) -> NamespaceFacts | None:
        """None: not known, so that nothing may be changed there."""

    def parent(self, namespace: str, kind: str, name: str) -> Owner | None:
        """The controller of a ReplicaSet or Job; None: it has none, or it is not known."""

    def has_vpa(self, namespace: str, owner: Owner) -> bool:
        """Whether a VerticalPodAutoscaler that acts targets this owner."""


class NoFacts:
    """Without a watch: no namespace has rules. Whoever runs the webhook so vouches for it."""

    _free = NamespaceFacts()

    def namespace(self, name: str) -> NamespaceFacts:
        return self._free

    def parent(self, namespace: str, kind: str, name: str) -> Owner | None:
        return None

    def has_vpa(self, namespace: str, owner: Owner) -> bool:
        return False
