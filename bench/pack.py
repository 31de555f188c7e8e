"""Packing of inference services on A100-80 under rate and latency targets: GPUs used, against ParvaGPU's own answers.

Data: parvagpu (11 networks, 5 MIG sizes, 9 batches, 5 process counts; 6 sets of targets; their published deployments).
"""

from __future__ import annotations

import csv
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from bench.report import Cell, Report, require_data
from models.hardware.mig_table import MIG_GPUS
from recommender.mig.demand import Demand, GpuKind, Packing, Size
from recommender.mig.greedy import greedy
from recommender.mig.pack import pack
from recommender.mig.services import ServicePoint, ServicePolicy, ServiceTarget, size_service

_KIND = GpuKind("A100-80", MIG_GPUS["A100-80"])
_SETS = range(1, 7)
_REPEATS = 5  # of the timed solve: the best is reported, other work on the machine only adds


def run(data: Path | None) -> Report:
    folder = require_data(data, "parvagpu")
    points = read_points(folder)
    demands = {n: _demands(folder, n, points, ServicePolicy()) for n in _SETS}
    packed = {n: _timed(demands[n]) for n in _SETS}
    tenfold = {n: _timed([replace(d, amount=10 * d.amount) for d in demands[n]], repeats=1) for n in _SETS}
    rows = [
        _row("sizewise (HiGHS)", {n: _gpus(packed[n][0]) for n in _SETS}),
        _row("  seconds", {n: packed[n][1] for n in _SETS}),
        _row("  proven optimal", {n: "yes" if packed[n][0].proven else "no" for n in _SETS}),
        _row("ParvaGPU (published deployments)", {n: published_gpus(folder, n) for n in _SETS}),
        _row("greedy: cheapest slices, first fit", {n: _gpus(greedy(demands[n], [_KIND], {})) for n in _SETS}),
        *_variants(folder, points),
        _row("sizewise, rates x10", {n: _gpus(tenfold[n][0]) for n in _SETS}),
        _row("  seconds", {n: tenfold[n][1] for n in _SETS}),
    ]
    return Report("Inference services on A100-80: GPUs used", _figures(packed, tenfold), rows, _NOTES)


_NOTES = (
    "A batch may take half of the latency limit; the published deployments never take more than 0.445 of it.",
    "All instances of a set keep their rate: checked on the packing, not taken from the solver.",
    "The win of one GPU on sets 5 and 6 goes when 5 % is added to the rates.",
)


def read_points(folder: Path) -> dict[str, list[ServicePoint]]:
    """Measured points per network. Throughput is per process in the file; rows of zeros ran out of memory."""
    return {file.stem: list(_points(file)) for file in sorted((folder / "prof_data").glob("*.csv"))}


def _points(file: Path) -> list[ServicePoint]:
    with file.open() as lines:
        rows = [row for row in csv.DictReader(lines) if float(row["Throughput"]) > 0]
    return [
        ServicePoint(
            Size(_KIND.name, f"{row['Mig instance']}g"),
            int(row["Batch size"]),
            int(row["Workload Number"]),
            float(row["Throughput"]) * int(row["Workload Number"]),
            float(row["Latency"]),
        )
        for row in rows
    ]


def read_targets(folder: Path, number: int) -> list[ServiceTarget]:
    """Targets of one set: header-less files, one column a network in alphabetical order, N/A: not in the set."""
    networks = sorted(file.stem for file in (folder / "prof_data").glob("*.csv"))
    rates, limits = (
        (folder / "SLO" / f"SLO_{what}.csv").read_text().splitlines()[number - 1].split(",")
        for what in ("req_rate", "latency")
    )
    return [
        ServiceTarget(network, float(rate), float(limit) / 1000)
        for network, rate, limit in zip(networks, rates, limits, strict=True)
        if rate != "N/A"
    ]


def published_gpus(folder: Path, number: int) -> int:
    with (folder / "deployment" / f"SLO{number}" / f"SLO{number}_ParvaGPU_deploy.csv").open() as lines:
        return len({(row["Num instance"], row["Num GPU"]) for row in csv.DictReader(lines)})


def _demands(folder: Path, number: int, points: dict[str, list[ServicePoint]], policy: ServicePolicy) -> list[Demand]:
    return [size_service(t, points[t.name], policy).demand for t in read_targets(folder, number)]


def _timed(demands: list[Demand], repeats: int = _REPEATS) -> tuple[Packing, float]:
    best_s = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        packing = pack(demands, [_KIND])
        best_s = min(best_s, time.perf_counter() - began)
    _check_rates(packing, demands)
    return packing, best_s


def _check_rates(packing: Packing, demands: list[Demand]) -> None:
    counts = Counter((i.tenant, i.slot.key) for gpu in packing.gpus for i in gpu.instances)
    for demand in demands:
        rate = sum(n * demand.gives[Size(_KIND.name, key)] for (name, key), n in counts.items() if name == demand.name)
        assert rate >= demand.amount * (1 - 1e-9), f"{demand.name} gets {rate} of {demand.amount} requests/s"


def _variants(folder: Path, points: dict[str, list[ServicePoint]]) -> list[dict[str, Cell]]:
    policies = {
        "sizewise, +5 % rate": ServicePolicy(rate_headroom=0.05),
        "sizewise, +20 % rate": ServicePolicy(rate_headroom=0.2),
        "sizewise, whole latency limit": ServicePolicy(latency_share=1.0),
    }
    return [
        _row(name, {n: _gpus(pack(_demands(folder, n, points, policy), [_KIND])) for n in _SETS})
        for name, policy in policies.items()
    ]


def _gpus(packing: Packing) -> int:
    return len(packing.gpus)


def _row(name: str, cells: dict[int, Cell]) -> dict[str, Cell]:
    return {"answer": name, **{f"set {n}": cell for n, cell in cells.items()}}


def _figures(packed: dict[int, tuple[Packing, float]], tenfold: dict[int, tuple[Packing, float]]) -> dict[str, float]:
    return {
        **{f"pack_gpus_{n}": _gpus(packed[n][0]) for n in _SETS},
        "pack_proven": sum(packing.proven for packing, _ in packed.values()),
        "pack_max_s": max(seconds for _, seconds in packed.values()),
        "pack_10x_s": max(seconds for _, seconds in tenfold.values()),
        "pack_10x_proven": sum(packing.proven for packing, _ in tenfold.values()),
    }
