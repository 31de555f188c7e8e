"""One series of those that several replicas of a Prometheus brought of one thing.

Thanos makes one of them, and Mimir where it was told to; elsewhere they come side by side, and whatever is added up, as
disks, interfaces and CPUs are, would count twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collector.names.replicas import REPLICA_LABELS
from collector.prometheus.answer import Series
from collector.prometheus.groups import Meanings

Thing = tuple[tuple[str, str], ...]


class Replicas:
    """Remembers what labels mean. May be used by several threads."""

    def __init__(self) -> None:
        self._meanings = Meanings(_meaning)

    def one_of_each(self, found: Sequence[Series]) -> Sequence[Series]:
        """Of each thing the series with most samples, of equals that of the first replica by name."""
        kept: dict[Thing, tuple[int, str, Series]] = {}
        for series in found:
            thing, replica = self._meanings.of(series)
            rank = -len(series.time_ms), replica
            if thing not in kept or rank < kept[thing][:2]:
                kept[thing] = (*rank, series)
        return [series for *_, series in kept.values()]


def _meaning(labels: Mapping[str, str]) -> tuple[Thing, str]:
    """What a series is of, whoever brought it, and who did."""
    thing = tuple(sorted(label for label in labels.items() if label[0] not in REPLICA_LABELS))
    return thing, "/".join(labels[name] for name in REPLICA_LABELS if name in labels)
