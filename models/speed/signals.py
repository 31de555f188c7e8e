"""The three signals that tell slice speed, and the coordinates that the model uses.

Logarithm and logit spread the ends, where slices differ: 95 and 99 % utilisation are far apart, 50 and 54 % are not.
Device memory in use is no feature: it tells whether a job fits, not how fast it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

IDLE_POWER_SHARE = 0.16
"""Idle board power over its limit: 40 W of 250 W on the A100 PCIe. Power above idle, as a share, carries over boards."""
LIMITING = ("power_watts", "memory_copy_utilization_ratio", "gpu_utilization_ratio")
"""The signals in the order of the coordinates, as named in models.signals."""
_FLOOR = 0.01
"""A hundredth: what NVML's whole percents can tell from nothing."""


@dataclass(frozen=True, slots=True)
class WholeGpuSignals:
    """Means over a window in which the workload alone had the whole GPU. None: the source cannot give it.

    memory_copy_utilization_ratio and gpu_utilization_ratio are NVML's, 0 to 1.
    """

    power_watts: float | None
    power_limit_watts: float | None
    memory_copy_utilization_ratio: float | None
    gpu_utilization_ratio: float | None

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the signals that are not there; without its limit, power says nothing."""
        power = self.power_watts if self.power_limit_watts else None
        values = (power, self.memory_copy_utilization_ratio, self.gpu_utilization_ratio)
        return tuple(name for name, value in zip(LIMITING, values, strict=True) if value is None)


def power_share(power_watts: float, limit_watts: float) -> float:
    """Power above idle over what the limit leaves above idle; at least 0.01."""
    idle = IDLE_POWER_SHARE * limit_watts
    return max((power_watts - idle) / (limit_watts - idle), _FLOOR)


def coordinates(signals: WholeGpuSignals) -> Floats:
    """[3]: ln of the power share, ln of memory utilisation + 1 %, logit of GPU utilisation. NaN where missing.

    All rise with demand.
    """
    power = np.nan
    if signals.power_watts is not None and signals.power_limit_watts:
        power = np.log(power_share(signals.power_watts, signals.power_limit_watts))
    memory, busy = signals.memory_copy_utilization_ratio, signals.gpu_utilization_ratio
    return np.array(
        [
            power,
            np.nan if memory is None else np.log(memory + _FLOOR),
            np.nan if busy is None else np.log(max(busy, _FLOOR) / (1 + _FLOOR - min(busy, 1.0))),
        ]
    )


LEAST_BUSY: float = float(np.log(_FLOOR / (1 + _FLOOR)))
"""The coordinate of a GPU that is hardly ever busy: the lowest that there is."""


def busy_ratio(coordinate: Floats | float) -> Floats:
    """GPU utilisation behind its coordinate."""
    return np.asarray((1 + _FLOOR) / (1 + np.exp(-np.asarray(coordinate))))
