"""What is known of one foreign metric name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from models.signals import SIGNALS, RowKind

System = Literal["dcgm", "cadvisor", "kube-state-metrics", "node-exporter", "opentelemetry"]
Entity = Literal["container", "pod", "gpu", "machine"]

Use = Literal["level", "rate", "periods", "rest"]
"""How samples become a signal. level: the value itself. rate: growth of a counter per second. periods: growth over the
growth of the counter that `over` names. rest: the value less that of `over`."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """One foreign metric and what it says in our words.

    names:  spellings, the newest first; the unit suffixes that exporters add are spellings too
    signal: of models.signals, in its base unit after multiplying by `scale`
    of:     whose labels a series carries
    only:   label values that a series must have; a tuple of several: any of them; "" also means the label is absent
    sums:   whether series that differ in other labels (disks, network interfaces, CPUs) are added up
    field:  DCGM field id, which stays when names change
    """

    system: System
    names: tuple[str, ...]
    signal: str
    kind: RowKind
    of: Entity
    use: Use = "level"
    scale: float = 1.0
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sums: bool = False
    over: str = ""
    field: int | None = None

    def __post_init__(self) -> None:
        if self.signal not in {signal.name for signal in SIGNALS[self.kind]}:
            raise ValueError(f"{self.names[0]} maps to {self.signal!r}, which is no {self.kind} signal")

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Whether a series of one of the names is the one meant here."""
        return all(labels.get(label, "") in values for label, values in self.only.items())
