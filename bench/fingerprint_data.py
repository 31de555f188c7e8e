"""The lambda-dl-bench runs: 11 model families on 16 kinds of GPU, as windows. Only the last GPU of a machine was sampled."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.fingerprint.window import MIB, Board, Window

INTERVAL_S = 2.0
MIN_SAMPLES = 15
LIVE_MIB = 1000
ARCHITECTURES = {
    "Turing": ("2070MaxQ", "2080MaxQ", "2080SuperMaxQ", "QuadroRTX5000", "QuadroRTX6000", "QuadroRTX8000", "TitanRTX"),
    "Volta": ("V100",),
    "GA100": ("A100",),
    "GA10x": ("3070", "3080", "3080Max-Q", "A4000", "A4500", "A5000", "A6000"),
}
# fmt: off
_BOARDS: dict[str, tuple[float, float, float]] = {  # GiB, dense half-precision and single-precision TFLOP/s, by vendor
    "2070MaxQ": (8, 44, 5.5), "2080MaxQ": (8, 52, 6.5), "2080SuperMaxQ": (8, 56, 7.0), "QuadroRTX5000": (16, 89, 11.2),
    "QuadroRTX6000": (24, 130, 16.3), "QuadroRTX8000": (48, 130, 16.3), "TitanRTX": (24, 130, 16.3),
    "V100": (32, 125, 15.7), "A100": (40, 312, 19.5), "3070": (8, 81, 20.3), "3080": (10, 119, 29.8),
    "3080Max-Q": (16, 76, 19.0), "A4000": (16, 77, 19.2), "A4500": (20, 95, 23.7), "A5000": (24, 111, 27.8),
    "A6000": (48, 155, 38.7),
}
# fmt: on


@dataclass(frozen=True, slots=True)
class Run:
    """One training run. gpus: of the machine, as its name says."""

    window: Window
    system: str
    chip: str
    family: str
    precision: str

    @property
    def live(self) -> bool:
        """Whether the sampled GPU shows the workload, by the data's own line and not by the product's."""
        return bool(self.window.signals["framebuffer_used_bytes"].max() >= LIVE_MIB * MIB)


def read_runs(folder: Path) -> list[Run]:
    """All runs of at least 15 samples, in the order of the file."""
    samples = pd.read_csv(folder / "monitor_all.csv.gz")
    keys = ["system", "chip", "model", "precision", "run"]
    runs = []
    for group, rows in samples.groupby(keys, sort=False):
        if len(rows) >= MIN_SAMPLES:
            system, chip, family, precision = (str(key) for key in group[:4])
            rows = rows.sort_values("sample")
            runs.append(Run(_window(system, chip, rows), system, chip, family, precision))
    return runs


def _window(system: str, chip: str, rows: pd.DataFrame) -> Window:
    used = rows["mem_used_mib"].to_numpy(np.float64) * MIB
    signals = {
        "gpu_utilization_ratio": rows["gpu_util_pct"].to_numpy(np.float64) / 100,
        "framebuffer_used_bytes": used,
    }
    return Window(signals, INTERVAL_S, _board(system, chip, float(used.max())))


def _board(system: str, chip: str, peak_bytes: float) -> Board:
    """A100 and V100 come in two sizes; the machine's name says which, but for three runs of p3.8xlarge, which are copies
    of runs on a machine with the larger ones."""
    gib, half, single = _BOARDS[chip]
    if "80GB" in system:
        gib = 80
    if ("16G" in system or system.startswith("p3.")) and peak_bytes <= 16 * 1024 * MIB:
        gib = 16
    count = re.search(r"(?:^|_)(\d+)x", system)
    gpus = {"p3.8xlarge": 4, "p3.16xlarge": 8}.get(system, int(count[1]) if count else 1)
    return Board(gib * 1024 * MIB, half * 1e12, single * 1e12, gpus)
