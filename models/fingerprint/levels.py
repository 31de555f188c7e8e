"""Features of every other signal, CPU and GPU: level, spread and persistence, whatever it is."""

from __future__ import annotations

import numpy as np

from models.fingerprint.window import Floats, Window
from models.signals import SIGNALS, Signal

_TOLD_ELSEWHERE = ("gpu_utilization_ratio", "framebuffer_used_bytes", "framebuffer_total_bytes")
_PLACE = ("request", "limit", "sharers", "throttled", "energy", "clock")
"""What belongs to the place and not to the workload: what was asked for it, whom it shares with, what the board allows."""
_LEVELS: tuple[Signal, ...] = tuple(
    signal
    for table in SIGNALS.values()
    for signal in table
    if signal.name not in _TOLD_ELSEWHERE and not any(word in signal.name for word in _PLACE)
)
_SHAPES = ("median", "q90", "q10", "spread", "persistence")


def level_features(window: Window) -> dict[str, float]:
    """Five per signal; logarithms where the unit is no ratio. Power as a share of its limit where that is known."""
    out: dict[str, float] = {}
    for signal in _LEVELS:
        values = window.bridged(signal.name)
        if values is not None and signal.name == "power_watts":
            limit = window.bridged("power_limit_watts")
            values = None if limit is None else values / limit
        elif values is not None and signal.unit != "ratio":
            values = np.log1p(values)
        out |= dict(zip((f"{signal.name}_{shape}" for shape in _SHAPES), _shape(values), strict=True))
    return out


def _shape(values: Floats | None) -> tuple[float, ...]:
    if values is None:
        return (np.nan,) * len(_SHAPES)
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
    centred = values - values.mean()
    power = float(centred @ centred)
    persistence = float(centred[1:] @ centred[:-1]) / power if power > 0 else np.nan
    return float(middle), float(high), float(low), float(values.std()), persistence
