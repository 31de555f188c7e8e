"""Which NVML call, field or GPM metric gives which signal, in our units.

Sources: nvml.h and nvidia-ml-py 13.615 for ids and units. A signal that stands in several tables is taken from GPM
first, then from a counter, then from a call: GPM costs the least and says it per GPU instance too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from collector.nvml.driver import CLOCK_MEMORY, CLOCK_SM, MEMORY_V2, PCIE_RECEIVE, PCIE_TRANSMIT

Values = tuple[float | None, ...]

_PERCENT, _MILLI, _MEGA, _KIB, _MIB, _NANO = 0.01, 1e-3, 1e6, 1024.0, float(2**20), 1e-9
_ALL_LINKS = 0xFFFFFFFF
"""Scope of an NVLink field: the sum over all links."""


@dataclass(frozen=True, slots=True)
class Level:
    """Signals that one call answers as they are now. `take` turns the answer into one value for each signal."""

    signals: tuple[str, ...]
    call: str
    arguments: tuple[int, ...]
    take: Callable[[Any], Values]


@dataclass(frozen=True, slots=True)
class Counter:
    """A field that only grows: `scale` units of the signal for each count. `rate`: per second, else per row."""

    signal: str
    field: int
    scale: float
    scope: int = 0
    rate: bool = True


@dataclass(frozen=True, slots=True)
class Metric:
    """A GPM metric. `whole`: it is told of a whole GPU only, never of one of its instances."""

    signal: str
    gpm: int
    scale: float = _PERCENT
    whole: bool = False


MEMORY = Level(
    ("framebuffer_used_bytes", "framebuffer_total_bytes"),
    "nvmlDeviceGetMemoryInfo",
    (MEMORY_V2,),
    lambda memory: (memory.used, memory.total),
)
MEMORY_OLD = Level(MEMORY.signals, MEMORY.call, (), MEMORY.take)
"""Drivers before 510 count what they keep for themselves as used."""

LEVELS: tuple[Level, ...] = (
    Level(
        ("gpu_utilization_ratio", "memory_copy_utilization_ratio"),
        "nvmlDeviceGetUtilizationRates",
        (),
        lambda used: (used.gpu * _PERCENT, used.memory * _PERCENT),
    ),
    Level(("power_watts",), "nvmlDeviceGetPowerUsage", (), lambda milliwatts: (milliwatts * _MILLI,)),
    Level(("power_limit_watts",), "nvmlDeviceGetEnforcedPowerLimit", (), lambda milliwatts: (milliwatts * _MILLI,)),
    Level(("sm_clock_hertz",), "nvmlDeviceGetClockInfo", (CLOCK_SM,), lambda mhz: (mhz * _MEGA,)),
    Level(("memory_clock_hertz",), "nvmlDeviceGetClockInfo", (CLOCK_MEMORY,), lambda mhz: (mhz * _MEGA,)),
)

COUNTERS: tuple[Counter, ...] = (
    Counter("energy_joules", 83, _MILLI, rate=False),
    Counter("power_throttled_ratio", 74, _NANO),
    Counter("thermal_throttled_ratio", 75, _NANO),
    Counter("pcie_transmit_bytes_per_s", 197, 1.0),
    Counter("pcie_receive_bytes_per_s", 198, 1.0),
    Counter("nvlink_transmit_bytes_per_s", 138, _KIB, _ALL_LINKS),
    Counter("nvlink_receive_bytes_per_s", 139, _KIB, _ALL_LINKS),
)

METRICS: tuple[Metric, ...] = (
    Metric("graphics_engine_active_ratio", 1),
    Metric("sm_active_ratio", 2),
    Metric("sm_occupancy_ratio", 3),
    Metric("tensor_active_ratio", 5),
    Metric("dram_active_ratio", 10),
    Metric("fp64_active_ratio", 11),
    Metric("fp32_active_ratio", 12),
    Metric("fp16_active_ratio", 13),
    Metric("pcie_transmit_bytes_per_s", 20, _MIB, whole=True),
    Metric("pcie_receive_bytes_per_s", 21, _MIB, whole=True),
    Metric("nvlink_transmit_bytes_per_s", 61, _MIB, whole=True),
    Metric("nvlink_receive_bytes_per_s", 60, _MIB, whole=True),
)

OF_INSTANCE = frozenset({*MEMORY.signals, *(metric.signal for metric in METRICS if not metric.whole)})
"""What a GPU instance tells of itself."""

PCIE: tuple[Level, ...] = (
    Level(("pcie_transmit_bytes_per_s",), "nvmlDeviceGetPcieThroughput", (PCIE_TRANSMIT,), lambda kib: (kib * _KIB,)),
    Level(("pcie_receive_bytes_per_s",), "nvmlDeviceGetPcieThroughput", (PCIE_RECEIVE,), lambda kib: (kib * _KIB,)),
)
"""The last resort: each of these calls watches the bus for 20 ms and lets the caller wait."""

EVENT_REASONS = "nvmlDeviceGetCurrentClocksThrottleReasons"
"""The name that every driver knows; newer ones call the same bits event reasons."""

POWER_REASONS = 0x04 | 0x80
"""Software power cap, hardware power brake."""
THERMAL_REASONS = 0x20 | 0x40
"""Software and hardware thermal slowdown."""
