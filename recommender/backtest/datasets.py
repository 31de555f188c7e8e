"""Readers of the public traces. Each gives `Usage` per resource: bytes and cores, whole days, gaps as NaN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from models.columns import Array
from recommender.backtest.usage import DAY_S, Resource, Usage, daily_peak

SLOT_S = 300
BITBRAINS_START_S = 1_375_308_000
"""2013-07-31 22:00 UTC: midnight at the data centre; 499 of 500 files begin three minutes later."""
BITBRAINS_DAYS = 30
NOMINAL_CORE_MHZ = 2600.0
"""Usage is given in MHz; VMs move between hosts of different clock, so a core is a fixed amount of work."""
KIB = 1024
NAB_DAYS, CRANE_DAYS = 14, 16


def bitbrains(folder: Path) -> dict[Resource, Usage]:
    """GWA-T-12 Bitbrains "rnd", August 2013: the VMs with a known size all month and a CPU that was ever used.

    Left out: VMs whose memory or CPU capacity is 0 at some time (the size is then unknown) and those whose CPU is
    always 0. Several rows in a slot: the highest counts.
    """
    files = sorted(folder.glob("2013-8/*.csv*"), key=lambda file: int(file.name.split(".")[0]))
    names, cpu, memory, cpu_size, memory_size = [], [], [], [], []
    for file in files:
        columns = _bitbrains_columns(file)
        if _usable(columns):
            names.append("vm-" + file.name.split(".")[0])
            slot = (columns["seconds"] - BITBRAINS_START_S) // SLOT_S
            cpu.append(by_slot(slot, columns["cpu"]))
            memory.append(by_slot(slot, columns["memory"]))
            cpu_size.append(by_slot(slot, columns["cores"]))
            memory_size.append(by_slot(slot, columns["memory_size"]))
    return {
        "cpu": _usage("cpu", names, cpu, cpu_size),
        "memory": _usage("memory", names, memory, memory_size),
    }


def _bitbrains_columns(file: Path) -> dict[str, Array]:
    table = pa.csv.read_csv(file, parse_options=pa.csv.ParseOptions(delimiter=";"))
    column = [table.column(i).to_numpy() for i in range(7)]
    return {
        "seconds": column[0],  # the header says [ms]; the values are seconds
        "cores": column[2] / NOMINAL_CORE_MHZ,
        "cpu": column[3] / NOMINAL_CORE_MHZ,
        "memory_size": column[5] * KIB,
        "memory": column[6] * KIB,
    }


def _usable(columns: dict[str, Array]) -> bool:
    sized = columns["cores"].min() > 0 and columns["memory_size"].min() > 0
    return bool(sized and columns["cpu"].max() > 0)


def by_slot(slot: Array, value: Array, days: int = BITBRAINS_DAYS) -> Array:
    """Values on an even grid, [days, slots of a day]; the highest of a slot, NaN where there is none."""
    grid = np.full(days * DAY_S // SLOT_S, np.nan)
    inside = (slot >= 0) & (slot < grid.size)
    np.fmax.at(grid, slot[inside], value[inside])
    return grid.reshape(days, -1)


def _usage(resource: Resource, names: list[str], samples: list[Array], sizes: list[Array]) -> Usage:
    return Usage(resource, names, np.stack(samples), daily_peak(np.stack(sizes)), BITBRAINS_START_S)


def nab(folder: Path) -> dict[Resource, Usage]:
    """CPU of AWS machines from the Numenta anomaly benchmark: 11 series of CPU percent, as shares of a core, from their
    first sample on. No sizes are known."""
    names, series = [], []
    for file in sorted(folder.glob("real*/*cpu_utilization*.csv")):
        table = pa.csv.read_csv(file)
        seconds = table.column(0).cast(pa.timestamp("s")).cast(pa.int64()).to_numpy()
        names.append(file.stem)
        series.append(by_slot((seconds - seconds[0]) // SLOT_S, table.column(1).to_numpy() / 100, NAB_DAYS))
    return {"cpu": _unsized(names, series)}


def crane(folder: Path) -> dict[Resource, Usage]:
    """The series that Crane tests its forecasts on: 16 unnamed ones of 8 to 16 days, by magnitude CPU cores or requests a
    second, taken for cores."""
    names, series = [], []
    for file in sorted(folder.glob("input*.csv.gz")):
        table = pa.csv.read_csv(file)
        seconds = table.column(0).to_numpy()
        names.append(file.name.split(".")[0])
        series.append(by_slot((seconds - seconds[0]) // SLOT_S, table.column(1).to_numpy(), CRANE_DAYS))
    return {"cpu": _unsized(names, series)}


def _unsized(names: list[str], samples: list[Array]) -> Usage:
    """Every series is taken to begin at midnight: what time of day it was does not matter to any policy here."""
    whole = np.stack(samples)
    return Usage("cpu", names, whole, np.full(whole.shape[:2], np.nan), 0)
