"""What a model sees of a window: NVML's signals alone, each relative to the board, and how much they vary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.bottleneck import BUSY, HOST, LINK, MEMORY, POWER
from models.signals import GPU_SIGNALS

Floats = NDArray[np.float64]
_SIGNAL = {signal.name: i for i, signal in enumerate(GPU_SIGNALS)}

FEATURES: tuple[str, ...] = (
    "busy_ratio",
    "busy_spread",
    "memory_ratio",
    "memory_spread",
    "power_ratio",
    "power_spread",
    "host_transfer_ratio",
    "gpu_link_ratio",
    "framebuffer_ratio",
    "sm_clock_spread",
)


def features(evidence: Floats, mean: Floats, spread: Floats) -> NDArray[np.float32]:
    """[n, FEATURES]; NaN where a signal is missing. evidence [6, n] as computed without profiling counters; mean and
    spread [S, n] in the order of models.signals.GPU_SIGNALS. Spreads are over the mean, so boards compare."""
    framebuffer = mean[_SIGNAL["framebuffer_used_bytes"]] / _positive(mean[_SIGNAL["framebuffer_total_bytes"]])
    columns = (
        evidence[BUSY],
        _relative("gpu_utilization_ratio", mean, spread),
        evidence[MEMORY],
        _relative("memory_copy_utilization_ratio", mean, spread),
        evidence[POWER],
        _relative("power_watts", mean, spread),
        evidence[HOST],
        evidence[LINK],
        framebuffer,
        _relative("sm_clock_hertz", mean, spread),
    )
    return np.stack(columns, axis=1).astype(np.float32)


def _relative(signal: str, mean: Floats, spread: Floats) -> Floats:
    relative: Floats = spread[_SIGNAL[signal]] / _positive(mean[_SIGNAL[signal]])
    return relative


def _positive(values: Floats) -> Floats:
    return np.where(values > 1e-9, values, np.nan)
