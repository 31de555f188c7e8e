"""Questions about a span of time in parts that the server's limits allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from collector.prometheus.answer import Series
from collector.prometheus.session import LimitError

_SHORTEST_S = 60.0
"""Below this a limit is not one of time."""
_MS_S = 0.001

Ask = Callable[[float, float], Sequence[Series]]
"""The series of [start_s, end_s]."""


class Spans:
    """Remembers of each question how long a span was answered. May be used by several threads."""

    def __init__(self) -> None:
        self._longest_s: dict[str, float] = {}

    def asked(self, what: str, start_s: float, end_s: float, ask: Ask) -> Sequence[Series]:
        """Whatever the span holds, halved until the server gives it. Raises LimitError when even a minute is too much."""
        if end_s - start_s <= self._longest_s.get(what, float("inf")):
            try:
                return ask(start_s, end_s)
            except LimitError:
                if end_s - start_s < 2 * _SHORTEST_S:
                    raise
                self._longest_s[what] = (end_s - start_s) / 2
        middle_s = round((start_s + end_s) / 2, 3)
        parts = (start_s, middle_s), (middle_s + _MS_S, end_s)  # both ends are of a span, and times are in milliseconds
        return joined([self.asked(what, *part, ask) for part in parts])


def joined(parts: Sequence[Sequence[Series]]) -> list[Series]:
    """Series of spans that follow each other, each one once."""
    by_labels: dict[tuple[tuple[str, str], ...], list[Series]] = defaultdict(list)
    for series in (one for part in parts for one in part):
        by_labels[tuple(sorted(series.labels().items()))].append(series)  # a key may come in another order
    return [_one(found) for found in by_labels.values()]


def _one(found: Sequence[Series]) -> Series:
    if len(found) == 1:
        return found[0]
    time_ms, value = (np.concatenate([getattr(one, name) for one in found]) for name in ("time_ms", "value"))
    return Series(found[0].key, found[0].read, time_ms, value)
