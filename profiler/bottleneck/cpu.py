"""The class of CPU windows: what its tasks wait for.

Where the kernel tells of no pressure, rates say less, and the confidence says so. The worst of what reaches its line
decides; nothing reached: `latency` when it runs (it waits for something that no signal shows: locks, peers, timers),
else `idle`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bottleneck import IDLE_BELOW, SURE, Bottleneck
from models.cpu_bottleneck import SIGNAL, Floats, HostCeilings, cpu_evidence, disk_rate, network_rate

_QUIET_BYTES_PER_S = 1e6
"""Less than any disk or network notices."""


@dataclass(frozen=True, slots=True)
class CpuVerdicts:
    """Per window, [n]: Bottleneck and how likely it is."""

    bottleneck: NDArray[np.uint8]
    confidence: Floats


_ORDER = (Bottleneck.COMPUTE, Bottleneck.MEMORY_PRESSURE, Bottleneck.IO_STORAGE, Bottleneck.IO_NETWORK)


def classify(values: Floats, ceilings: HostCeilings | None = None) -> CpuVerdicts:
    """Verdicts on windows of CPU signals [S, n] in the order of models.signals.CPU_SIGNALS; NaN where missing."""
    at_limit, stopped, cpu, *others = cpu_evidence(values, ceilings)
    scores = np.nan_to_num(np.stack([np.fmax(np.fmax(at_limit, stopped), cpu), *others]))
    worst = scores.argmax(axis=0)
    hit = scores.max(axis=0) >= 1
    by_rate = (worst == 3) | ((worst == 2) & np.isnan(values[SIGNAL["io_pressure_ratio"]]))
    rest = _rest(values)
    bottleneck = np.where(hit, np.array(_ORDER)[worst], rest).astype(np.uint8)
    blind = np.isnan(values[SIGNAL["memory_pressure_ratio"]]) & (rest == Bottleneck.LATENCY)
    confidence = np.where(np.where(hit, by_rate, blind), SURE, 1.0)
    return CpuVerdicts(bottleneck, np.where(bottleneck == Bottleneck.INSUFFICIENT, 0.0, confidence))


def _rest(values: Floats) -> NDArray[np.intp]:
    """Nothing reached its line: idle, latency, or too little is known, [n]."""
    used = values[SIGNAL["cpu_cores"]]
    share = np.fmax(values[SIGNAL["cpu_request_cores"]], 0)
    idle = used < IDLE_BELOW * np.where(share > 0, share, 1.0)
    disk = disk_rate(values)
    quiet = ~(disk > _QUIET_BYTES_PER_S) & ~(network_rate(values) > _QUIET_BYTES_PER_S)
    blind = np.isnan(used) | (np.isnan(values[SIGNAL["io_pressure_ratio"]]) & np.isnan(disk))
    return np.select([blind, idle & quiet], [Bottleneck.INSUFFICIENT, Bottleneck.IDLE], Bottleneck.LATENCY)
