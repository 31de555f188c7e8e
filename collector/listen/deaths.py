"""OOM kills out of what kube-state-metrics says: a restart while the last termination reads OOMKilled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collector.listen.entities import DEATH_REASON, DEATH_RESTARTS
from collector.listen.said import Said

NEAR_MS = 120_000
"""A restart may be counted some scrapes before its reason shows, never after."""

Key = tuple[str, ...]
"""Cluster label, namespace, pod, container."""


@dataclass(frozen=True, slots=True)
class Kill:
    """entity: number of the entity of class `death`; count: restarts that one scrape showed."""

    entity: int
    time_ms: int
    count: int


class Deaths:
    """Restarts that wait for their reason, and kills that wait for a row."""

    def __init__(self) -> None:
        self._restarts: list[Kill] = []
        self._kills: defaultdict[Key, list[Kill]] = defaultdict(list)

    def take(self, said: Said) -> list[Kill]:
        """The kills that these samples tell of."""
        grown = said.take((said.slot == DEATH_RESTARTS) & (said.value > 0))
        columns = grown.entity.tolist(), grown.time_ms.tolist(), grown.value.tolist()
        self._restarts += (Kill(entity, time, round(count)) for entity, time, count in zip(*columns, strict=True))
        reasons = said.take((said.slot == DEATH_REASON) & (said.value == 1))
        killed = [restart for restart in self._restarts if _explained(restart, reasons)]
        newest = int(said.time_ms.max(initial=0))
        waiting = (restart for restart in self._restarts if restart not in killed)
        self._restarts = [restart for restart in waiting if restart.time_ms > newest - NEAR_MS]
        return killed

    def wait_for_row(self, key: Key, kill: Kill) -> None:
        self._kills[key].append(kill)

    def counted(self, keys: Sequence[Key], time_ms: Sequence[int]) -> list[int]:
        """Kills by row: each in the first row of its container that ends after it. Rows are in order of time."""
        out = [0] * len(keys)
        if not self._kills:
            return out
        for row, (key, until) in enumerate(zip(keys, time_ms, strict=True)):
            if key in self._kills:
                kills = self._kills.pop(key)
                out[row] = sum(kill.count for kill in kills if kill.time_ms <= until)
                if left := [kill for kill in kills if kill.time_ms > until]:
                    self._kills[key] = left
        return out


def _explained(restart: Kill, reasons: Said) -> bool:
    after = reasons.time_ms - restart.time_ms
    return bool(np.any((reasons.entity == restart.entity) & (after >= 0) & (after <= NEAR_MS)))
