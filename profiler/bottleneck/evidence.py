"""From the signals of windows to the numbers that are compared."""

from __future__ import annotations

import numpy as np

from models.bottleneck import (
    AT_LIMIT,
    DRAM_CEILING,
    EVIDENCE,
    IDLE_POWER,
    PAGEABLE_BYTES_PER_S,
    TENSOR_CEILING,
)
from models.signals import GPU_SIGNALS
from profiler.bottleneck.boards import Boards, Bools, Floats

SIGNAL: dict[str, int] = {signal.name: i for i, signal in enumerate(GPU_SIGNALS)}
"""Row of each signal in values [S, n]."""
PIPES: dict[str, float] = {
    "tensor_active_ratio": TENSOR_CEILING,
    "fp64_active_ratio": 1.0,
    "fp32_active_ratio": 1.0,
    "fp16_active_ratio": 1.0,
}
PROFILING = (
    "graphics_engine_active_ratio",
    "sm_active_ratio",
    "sm_occupancy_ratio",
    "dram_active_ratio",
    *PIPES,
)
"""Signals that need profiling counters (DCGM 1001 to 1008, NVML GPM)."""


def first_of(values: Floats, *names: str) -> Floats:
    """The first of the named signals that is there, [n]."""
    found: Floats = values[SIGNAL[names[0]]]
    for name in names[1:]:
        found = np.where(np.isnan(found), values[SIGNAL[name]], found)
    return found


def evidence(values: Floats, boards: Boards) -> Floats:
    """EVIDENCE of windows, [6, n], from signals [S, n] in the order of models.signals.GPU_SIGNALS; NaN: missing."""
    memory = values[SIGNAL["dram_active_ratio"]] / DRAM_CEILING
    found = (
        first_of(values, "graphics_engine_active_ratio", "gpu_utilization_ratio", "sm_active_ratio"),
        compute(values),
        np.where(np.isnan(memory), values[SIGNAL["memory_copy_utilization_ratio"]], memory),
        _host(values, boards),
        _busier(values, "nvlink") / boards.nvlink_bytes_per_s,
        power(values, boards),
    )
    assert len(found) == len(EVIDENCE)
    return np.stack(found)


def compute(values: Floats) -> Floats:
    """The busiest math pipe over its ceiling, [n]; NaN where no pipe is known."""
    busiest: Floats = np.fmax.reduce([values[SIGNAL[name]] / ceiling for name, ceiling in PIPES.items()])
    return busiest


def power(values: Floats, boards: Boards) -> Floats:
    """Power above idle over what the limit leaves above idle, 0 to 1; NaN on a slice, whose board others share."""
    limit = _limit(values, boards)
    share = (values[SIGNAL["power_watts"]] / limit - IDLE_POWER) / (1 - IDLE_POWER)
    return np.where(boards.whole, np.clip(share, 0, 1), np.nan)


def at_power_limit(values: Floats, boards: Boards) -> Bools:
    """Whether the power limit holds the clock back, [n]: NVML says so, or power is there. False where not known."""
    told = values[SIGNAL["power_throttled_ratio"]] >= 0.5
    reached: Bools = told | (boards.whole & (values[SIGNAL["power_watts"]] >= AT_LIMIT * _limit(values, boards)))
    return reached


def link_saturation(values: Floats, boards: Boards) -> Floats:
    """PCIe bytes in the busier direction over the practical peak of the link, [n]."""
    return np.where(boards.whole, _busier(values, "pcie") / boards.pcie_bytes_per_s, np.nan)


def _limit(values: Floats, boards: Boards) -> Floats:
    limit: Floats = values[SIGNAL["power_limit_watts"]]
    limit = np.where(np.isnan(limit), boards.tdp_watts, limit)
    return np.where(limit >= 1, limit, np.nan)


def _host(values: Floats, boards: Boards) -> Floats:
    """NaN on a slice: the counters are the board's."""
    both = values[SIGNAL["pcie_transmit_bytes_per_s"]] + values[SIGNAL["pcie_receive_bytes_per_s"]]
    return np.where(boards.whole, both / PAGEABLE_BYTES_PER_S, np.nan)


def _busier(values: Floats, link: str) -> Floats:
    busier: Floats = np.fmax(
        values[SIGNAL[f"{link}_transmit_bytes_per_s"]], values[SIGNAL[f"{link}_receive_bytes_per_s"]]
    )
    return busier
