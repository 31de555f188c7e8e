"""A window of telemetry of one workload on one GPU, and its phases: before, start-up, steady, after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.signals import SIGNALS

Floats = NDArray[np.float64]

MIB = float(2**20)
CONTEXT_BYTES = 250 * MIB
"""A CUDA context takes 250 to 500 MiB: less is the driver's own."""
VISIBLE_BYTES = 500 * MIB
"""Above the emptiest sample, from which on something lives on the device. GPUs that nobody used showed at most 11 MiB, the
smallest workload 1,000 MiB."""
VISIBLE_RATIO = 0.02
"""Utilisation that is more than the monitoring's own queries: unused GPUs showed at most 1 %."""

_KNOWN = frozenset(signal.name for table in SIGNALS.values() for signal in table)


@dataclass(frozen=True, slots=True)
class Board:
    """What is known of the GPUs a workload has. NaN: unknown. Used only inside ratios and amounts of work."""

    memory_bytes: float = np.nan
    half_flops: float = np.nan
    single_flops: float = np.nan
    gpus: float = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """signals: [n] per signal of models.signals, evenly spaced, oldest first; NaN where a sample has none; a signal that the
    source cannot give is left out. Starts with the workload where the start was seen. Raises ValueError on an unknown
    signal, on lengths that differ and on an interval that is not positive."""

    signals: Mapping[str, Floats]
    interval_s: float
    board: Board = field(default_factory=Board)

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.signals) - _KNOWN):
            raise ValueError(f"signals {unknown} are not in models.signals: name them as the tables there do")
        if len({len(values) for values in self.signals.values()}) > 1:
            lengths = {name: len(values) for name, values in self.signals.items()}
            raise ValueError(f"signals have different lengths, {lengths}: give one value per sample, NaN for none")
        if not self.interval_s > 0:
            raise ValueError(f"interval_s is {self.interval_s}; it must be the seconds between two samples")

    def __len__(self) -> int:
        return len(next(iter(self.signals.values()), ()))

    def first(self, samples: int | None) -> Window:
        """What was known after this many samples; None: all of it."""
        return replace(self, signals={name: values[:samples] for name, values in self.signals.items()})

    def bridged(self, name: str) -> Floats | None:
        """[n] with gaps bridged by the value before (at the start: after) them; None when there is no value at all."""
        values = self.signals.get(name)
        if values is None or not len(values) or np.isnan(values).all():
            return None
        known = np.flatnonzero(~np.isnan(values))
        return np.asarray(values[known[np.clip(np.searchsorted(known, np.arange(len(values)), "right") - 1, 0, None)]])

    @property
    def visible(self) -> bool | None:
        """Whether a workload can be seen on the GPU at all; None when neither memory nor activity is told."""
        memory, seen = self.bridged("framebuffer_used_bytes"), []
        if memory is not None:
            seen.append(bool(memory.max() >= VISIBLE_BYTES))
        for name in ("gpu_utilization_ratio", "graphics_engine_active_ratio", "sm_active_ratio"):
            if (activity := self.bridged(name)) is not None:
                seen.append(bool(activity.max() >= VISIBLE_RATIO))
        return any(seen) if seen else None


@dataclass(frozen=True, slots=True)
class Phases:
    """Indices of samples. context: the first with a CUDA context; steady: [start, stop), from first to last with over half
    of the most memory. A window without memory is all steady."""

    context: int
    start: int
    stop: int

    @classmethod
    def of(cls, memory: Floats | None, n: int) -> Phases:
        if memory is None or memory.max() <= 0:
            return cls(0, 0, n)
        loaded = np.flatnonzero(memory > memory.max() / 2)
        start, stop = int(loaded[0]), int(loaded[-1]) + 1
        held = np.flatnonzero(memory - memory.min() > CONTEXT_BYTES)
        return cls(min(int(held[0]), start) if len(held) else start, start, stop)
