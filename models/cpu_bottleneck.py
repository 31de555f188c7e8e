"""What is compared to find the class of a CPU window, and the lines that it is held against.

Pressure (PSI) says directly how much time is lost to a CPU, to memory or to disks; rates are held against what a usual disk
or network carries. 1 is the line of each number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bottleneck import SATURATED, Evidence
from models.signals import CPU_SIGNALS

Floats = NDArray[np.float64]

SIGNAL: dict[str, int] = {signal.name: i for i, signal in enumerate(CPU_SIGNALS)}
"""Row of each signal in values [S, n]."""
PRESSED = 0.1
"""A tenth of the time lost: as much as a slowdown that policy lets a workload suffer (SlicePolicy)."""
THROTTLED = 0.25
"""A quarter of its periods: kubernetes-mixin's alert CPUThrottlingHigh."""
AT_LIMIT = 0.9
"""Of the CPU limit, as a mean over a window: it is at the limit most of the time."""


@dataclass(frozen=True, slots=True)
class HostCeilings:
    """What one workload can get from a machine, where it is not known better."""

    disk_bytes_per_s: float = 500e6
    """A SATA solid-state disk; a cloud volume gives 125 to 1,000 MB/s."""
    network_bytes_per_s: float = 1.25e9
    """10 Gbit/s."""


_USUAL = HostCeilings()

CPU_EVIDENCE: tuple[Evidence, ...] = (
    Evidence("cpu_at_limit_ratio", f"CPU used over {AT_LIMIT:g} of its limit"),
    Evidence("cpu_stopped_ratio", f"share of CFS periods in which the limit stopped it, over {THROTTLED:g}"),
    Evidence("cpu_wait_ratio", f"share of time in which a task waited for a CPU (PSI), over {PRESSED:g}"),
    Evidence("memory_wait_ratio", f"share of time in which a task waited for memory (PSI), over {PRESSED:g}"),
    Evidence(
        "disk_wait_ratio",
        f"share of time in which a task waited for a disk (PSI), over {PRESSED:g}; without PSI disk bytes over "
        f"{SATURATED:g} of {_USUAL.disk_bytes_per_s / 1e6:g} MB/s",
    ),
    Evidence(
        "network_ratio",
        f"network bytes in the busier direction over {SATURATED:g} of {_USUAL.network_bytes_per_s * 8e-9:g} Gbit/s",
    ),
)
"""In the order of `cpu_evidence`. NaN: the signal is missing."""


def cpu_evidence(values: Floats, hosts: HostCeilings | None = None) -> Floats:
    """CPU_EVIDENCE of windows, [6, n], from signals [S, n] in the order of models.signals.CPU_SIGNALS."""
    hosts = hosts or _USUAL
    used, limit = values[SIGNAL["cpu_cores"]], values[SIGNAL["cpu_limit_cores"]]
    cpu, memory, disk = (values[SIGNAL[f"{what}_pressure_ratio"]] / PRESSED for what in ("cpu", "memory", "io"))
    by_rate = disk_rate(values) / hosts.disk_bytes_per_s / SATURATED
    return np.stack([
        used / np.where(limit > 0, limit, np.nan) / AT_LIMIT,
        values[SIGNAL["cpu_throttled_ratio"]] / THROTTLED,
        cpu,
        memory,
        np.where(np.isnan(disk), by_rate, disk),
        network_rate(values) / hosts.network_bytes_per_s / SATURATED,
    ])  # fmt: skip


def disk_rate(values: Floats) -> Floats:
    """Bytes/s read and written, of what is there, [n]; NaN where nothing is."""
    rates = np.stack([values[SIGNAL[f"disk_{way}_bytes_per_s"]] for way in ("read", "write")])
    return np.where(np.isnan(rates).all(axis=0), np.nan, np.nansum(rates, axis=0))


def network_rate(values: Floats) -> Floats:
    """Bytes/s in the busier direction, [n]."""
    received, sent = (values[SIGNAL[f"network_{way}_bytes_per_s"]] for way in ("receive", "transmit"))
    busier: Floats = np.fmax(received, sent)
    return busier
