"""Fields of a GPU that only grow: energy, throttled time, bytes over PCIe and NVLink."""

from __future__ import annotations

from collections.abc import Container

from collector.nvml.driver import Handle, Nvml
from collector.nvml.refusals import Patience
from collector.nvml.table import COUNTERS, Counter
from collector.rates import growth

Baselines = dict[int, tuple[int, int]]
"""By field: its count, and when it was read."""


class Counters:
    """The counters of one GPU, read with one call."""

    def __init__(self, nvml: Nvml, patience: Patience, device: Handle) -> None:
        self._nvml, self._patience, self._device = nvml, patience, device
        self.before: Baselines = {}

    def read(self, now_ms: int, known: Container[str]) -> dict[str, float]:
        """What has grown since each counter was read before, but for signals that are `known` already."""
        wanted = [c for c in COUNTERS if c.signal not in known and self._patience.may(_key(c))]
        ids = [(counter.field, counter.scope) for counter in wanted]
        counts = self._patience.attempt("fields", lambda: self._nvml.fields(self._device, ids)) if wanted else None
        found: dict[str, float] = {}
        for counter, count in zip(wanted, counts or (), strict=False):
            if isinstance(count, str):
                self._patience.note(_key(counter), count)
                continue
            value = self._grown(counter, count, now_ms)
            if value is not None:
                found[counter.signal] = value
        return found

    def may_give(self, signal: str) -> bool:
        """Whether a counter gives this signal, or may yet."""
        return self._patience.may("fields") and self._patience.may(f"field/{signal}")

    def _grown(self, counter: Counter, count: int, now_ms: int) -> float | None:
        before, before_ms = self.before.get(counter.field, (0, now_ms))
        self.before[counter.field] = (count, now_ms)
        span_s = (now_ms - before_ms) / 1000
        if span_s <= 0:
            return None
        grown = growth(before, count) * counter.scale
        return grown / span_s if counter.rate else grown


def _key(counter: Counter) -> str:
    return f"field/{counter.signal}"
