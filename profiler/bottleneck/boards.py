"""The ceilings of the GPU behind each window, from the hardware catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bottleneck import LINK_CEILING, PCIE_BYTES_PER_S
from models.hardware.discovery import find_gpu

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Boards:
    """Per window, [n]: practical peaks in one direction, and rated power. NaN: the catalogue does not know, or (links)
    there is none. `whole`: the window describes a whole board, so that power and PCIe are its own."""

    pcie_bytes_per_s: Floats
    nvlink_bytes_per_s: Floats
    tdp_watts: Floats
    whole: Bools

    @classmethod
    def of(cls, models: Sequence[str], codes: NDArray[np.intp], whole: Bools) -> Boards:
        """models: NVML names; codes [n]: the name of each window."""
        table = np.array([_peaks(name) for name in models], dtype=np.float64).reshape(-1, 3)
        pcie, nvlink, tdp = table[codes].T
        return cls(pcie, nvlink, tdp, whole)

    def take(self, chosen: NDArray[np.intp]) -> Boards:
        """Of these windows."""
        return Boards(
            self.pcie_bytes_per_s[chosen], self.nvlink_bytes_per_s[chosen], self.tdp_watts[chosen], self.whole[chosen]
        )


def _peaks(model: str) -> tuple[float, float, float]:
    gpu = find_gpu(model)
    if gpu is None:
        return np.nan, np.nan, np.nan
    pcie = PCIE_BYTES_PER_S.get(gpu.pcie_generation or 0, np.nan)
    nvlink = gpu.nvlink_bytes_per_s / 2 or np.nan
    return LINK_CEILING * pcie, LINK_CEILING * nvlink, np.nan if gpu.tdp_watts is None else gpu.tdp_watts
