"""Ten-second windows of an 8-GPU H100 node, with profiling counters and NVML signals side by side (h100-windows)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.signals import GPU_SIGNALS
from profiler.bottleneck.boards import Boards, Floats
from profiler.bottleneck.evidence import SIGNAL

MODEL = "NVIDIA H100 80GB HBM3"
_MIB = float(2**20)
_COLUMNS: dict[str, tuple[str, float]] = {
    "gpu_utilization_ratio": ("gpu_util_pct", 0.01),
    "memory_copy_utilization_ratio": ("mem_util_pct", 0.01),
    "sm_active_ratio": ("sm_active", 1.0),
    "tensor_active_ratio": ("tensor_active", 1.0),
    "dram_active_ratio": ("dram_active", 1.0),
    "fp16_active_ratio": ("fp16_active", 1.0),
    "framebuffer_used_bytes": ("mem_used_mib", _MIB),
    "power_watts": ("power_w", 1.0),
    "pcie_transmit_bytes_per_s": ("pcie_tx_bytes_s", 1.0),
    "pcie_receive_bytes_per_s": ("pcie_rx_bytes_s", 1.0),
    "nvlink_transmit_bytes_per_s": ("nvlink_tx_bytes_s", 1.0),
    "nvlink_receive_bytes_per_s": ("nvlink_rx_bytes_s", 1.0),
}
_HALVES = {"b1": "b1 idle, model loaded", "t2": "t2 small data-parallel training", "t6": "t6 off-loaded training"}


@dataclass(frozen=True, slots=True)
class Windows:
    """mean, spread [S, n] in the order of GPU_SIGNALS; run [n] as recorded; workload [n]: what ran on that GPU."""

    mean: Floats
    spread: Floats
    boards: Boards
    run: NDArray[np.str_]
    workload: NDArray[np.str_]


def read_windows(folder: Path) -> Windows:
    table = pd.read_csv(folder / "windows.csv.gz")
    n = len(table)
    training = table["gpu"] >= 4
    workload = table["run"].map(_HALVES).where(table["run"] != "e2", "e2 inference half")
    workload = workload.where((table["run"] != "e2") | ~training, "e2 training half")
    boards = Boards.of([MODEL], np.zeros(n, dtype=np.intp), np.ones(n, dtype=np.bool_))
    run, names = table["run"].to_numpy(dtype=str), workload.to_numpy(dtype=str)
    return Windows(_signals(table, "mean"), _signals(table, "std"), boards, run, names)


def _signals(table: pd.DataFrame, which: str) -> Floats:
    values = np.full((len(GPU_SIGNALS), len(table)), np.nan)
    for signal, (column, unit) in _COLUMNS.items():
        values[SIGNAL[signal]] = table[f"{column}_{which}"] * unit
    return values


def without(values: Floats, *signals: str) -> Floats:
    """As if nobody had measured these signals."""
    bare = values.copy()
    bare[[SIGNAL[name] for name in signals]] = np.nan
    return bare
