"""The class of CPU windows: what its tasks wait for.

Pressure (PSI) says directly how much time is lost to a CPU, to memory or to disks. Where the kernel gives none, rates
against what a usual disk or network carries say less, and the confidence says so. The worst of what reaches its line
decides; nothing reached: `latency` when it runs (it waits for something that no signal shows: locks, peers, timers),
else `idle`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bottleneck import IDLE_BELOW, SATURATED, SURE, Bottleneck
from models.signals import CPU_SIGNALS

Floats = NDArray[np.float64]

_SIGNAL = {signal.name: i for i, signal in enumerate(CPU_SIGNALS)}
_PRESSED = 0.1
"""A tenth of the time lost: as much as a slowdown that policy lets a workload suffer (SlicePolicy)."""
_THROTTLED = 0.25
"""A quarter of its periods: kubernetes-mixin's alert CPUThrottlingHigh."""
_AT_LIMIT = 0.9
"""Of the CPU limit, as a mean over a window: it is at the limit most of the time."""
_QUIET_BYTES_PER_S = 1e6
"""Less than any disk or network notices."""


@dataclass(frozen=True, slots=True)
class HostCeilings:
    """What one workload can get from a machine, where it is not known better."""

    disk_bytes_per_s: float = 500e6
    """A SATA solid-state disk; a cloud volume gives 125 to 1,000 MB/s."""
    network_bytes_per_s: float = 1.25e9
    """10 Gbit/s."""


@dataclass(frozen=True, slots=True)
class CpuVerdicts:
    """Per window, [n]: Bottleneck and how likely it is."""

    bottleneck: NDArray[np.uint8]
    confidence: Floats


_ORDER = (Bottleneck.COMPUTE, Bottleneck.MEMORY_PRESSURE, Bottleneck.IO_STORAGE, Bottleneck.IO_NETWORK)


def classify(values: Floats, ceilings: HostCeilings | None = None) -> CpuVerdicts:
    """Verdicts on windows of CPU signals [S, n] in the order of models.signals.CPU_SIGNALS; NaN where missing."""
    hosts = ceilings or HostCeilings()
    scores = np.nan_to_num(_scores(values, hosts))
    worst = scores.argmax(axis=0)
    hit = scores.max(axis=0) >= 1
    by_rate = (worst == 3) | ((worst == 2) & np.isnan(values[_SIGNAL["io_pressure_ratio"]]))
    rest = _rest(values)
    bottleneck = np.where(hit, np.array(_ORDER)[worst], rest).astype(np.uint8)
    blind = np.isnan(values[_SIGNAL["memory_pressure_ratio"]]) & (rest == Bottleneck.LATENCY)
    confidence = np.where(np.where(hit, by_rate, blind), SURE, 1.0)
    return CpuVerdicts(bottleneck, np.where(bottleneck == Bottleneck.INSUFFICIENT, 0.0, confidence))


def _scores(values: Floats, hosts: HostCeilings) -> Floats:
    """How far each of _ORDER is beyond its line, [4, n]; 1 is the line."""
    used, limit = values[_SIGNAL["cpu_cores"]], values[_SIGNAL["cpu_limit_cores"]]
    at_limit = used / np.where(limit > 0, limit, np.nan) / _AT_LIMIT
    throttled = values[_SIGNAL["cpu_throttled_ratio"]] / _THROTTLED
    cpu, memory, disk = (values[_SIGNAL[f"{what}_pressure_ratio"]] / _PRESSED for what in ("cpu", "memory", "io"))
    by_rate = _total(values, "disk_read", "disk_write") / hosts.disk_bytes_per_s / SATURATED
    network = _busier(values) / hosts.network_bytes_per_s / SATURATED
    return np.stack(
        [np.fmax(np.fmax(at_limit, throttled), cpu), memory, np.where(np.isnan(disk), by_rate, disk), network]
    )


def _rest(values: Floats) -> NDArray[np.intp]:
    """Nothing reached its line: idle, latency, or too little is known, [n]."""
    used = values[_SIGNAL["cpu_cores"]]
    share = np.fmax(values[_SIGNAL["cpu_request_cores"]], 0)
    idle = used < IDLE_BELOW * np.where(share > 0, share, 1.0)
    disk = _total(values, "disk_read", "disk_write")
    quiet = ~(disk > _QUIET_BYTES_PER_S) & ~(_busier(values) > _QUIET_BYTES_PER_S)
    blind = np.isnan(used) | (np.isnan(values[_SIGNAL["io_pressure_ratio"]]) & np.isnan(disk))
    return np.select([blind, idle & quiet], [Bottleneck.INSUFFICIENT, Bottleneck.IDLE], Bottleneck.LATENCY)


def _total(values: Floats, *names: str) -> Floats:
    """The sum of what is there, [n]; NaN where nothing is."""
    rates = np.stack([values[_SIGNAL[f"{name}_bytes_per_s"]] for name in names])
    return np.where(np.isnan(rates).all(axis=0), np.nan, np.nansum(rates, axis=0))


def _busier(values: Floats) -> Floats:
    received, sent = (values[_SIGNAL[f"network_{way}_bytes_per_s"]] for way in ("receive", "transmit"))
    busier: Floats = np.fmax(received, sent)
    return busier
