"""Readers of the public traces. Each gives `Usage` per resource: bytes and cores, whole days, gaps as NaN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from bench.report import require_data
from bench.sizing.usage import DAY_S, Resource, Usage, daily_peak
from models.columns import Array

SLOT_S = 300
BITBRAINS_START_S = 1_375_308_000
"""2013-07-31 22:00 UTC: midnight at the data centre; 499 of 500 files begin three minutes later."""
BITBRAINS_DAYS = 30
NOMINAL_CORE_MHZ = 2600.0
"""Usage is given in MHz; VMs move between hosts of different clock, so a core is a fixed amount of work."""
KIB = 1024


def bitbrains(data: Path | None) -> dict[Resource, Usage]:
    """GWA-T-12 Bitbrains "rnd", August 2013: the VMs with a known size all month and a CPU that was ever used.

    Left out: VMs whose memory or CPU capacity is 0 at some time (the size is then unknown) and those whose CPU is
    always 0. Several rows in a slot: the highest counts.
    """
    folder = require_data(data, "bitbrains-rnd")
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
