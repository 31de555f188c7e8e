"""Which workloads are gone, and since when: of one partition, by namespace.

By namespace, so that one tenant is told of its own in a time that does not tell how many others have gone. What `now` held
at some moment never changes: a change copies the namespaces that it touches, and no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from recommender.access.scope import namespace_of

Removed = Mapping[str, Mapping[str, Mapping[str, int]]]
"""By cluster and namespace: workload to the offset of the message that lacks it, in order of the offsets."""
_Place = tuple[str, str]


def flat(removed: Removed) -> Iterator[tuple[str, int]]:
    """All of them, with their offsets, in no order."""
    for namespaces in removed.values():
        for gone in namespaces.values():
            yield from gone.items()


class Removals:
    """Used by one thread."""

    def __init__(self) -> None:
        self.now: Removed = {}
        self._place: dict[str, _Place] = {}
        """Of each, in order of the offsets."""

    def change(self, back: Iterable[str], gone: Iterable[str], offset: int) -> None:
        """back: workloads that are there, of which some were gone. gone: since this offset."""
        touched: dict[_Place, dict[str, int]] = {}
        for workload in back:
            if workload in self._place:
                self._copied(self._place.pop(workload), touched).pop(workload)
        for workload in gone:
            self._place[workload] = namespace_of(workload)
            self._copied(self._place[workload], touched)[workload] = offset
        self._put(touched)

    def keep(self, most: int) -> int:
        """Forget the oldest of more than these; returns the offset from which on all are known, 0 when none was forgotten."""
        touched: dict[_Place, dict[str, int]] = {}
        known_from = 0
        for workload in list(self._place)[: max(0, len(self._place) - most)]:
            known_from = self._copied(self._place.pop(workload), touched).pop(workload) + 1
        self._put(touched)
        return known_from

    def _copied(self, place: _Place, touched: dict[_Place, dict[str, int]]) -> dict[str, int]:
        if place not in touched:
            cluster, namespace = place
            touched[place] = dict(self.now.get(cluster, {}).get(namespace, {}))
        return touched[place]

    def _put(self, touched: Mapping[_Place, Mapping[str, int]]) -> None:
        if not touched:
            return
        now = {cluster: dict(namespaces) for cluster, namespaces in self.now.items()}
        for (cluster, namespace), gone in touched.items():
            now.setdefault(cluster, {})[namespace] = gone
            if not gone:
                del now[cluster][namespace]
        self.now = now
