"""A meter that remembers."""

from __future__ import annotations

from collections import Counter

from models.metrics import NullMeter


class CountingMeter(NullMeter):
    """Counters by name, over all labels; the newest value of each gauge."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        super().count(name, amount, **labels)
        self.counts[name] += int(amount)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        super().gauge(name, value, **labels)
        self.gauges[name] = value
