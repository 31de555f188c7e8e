"""Kernels of gpuFLOPBench by achieved rates, and kernels of Orion by their labels."""

from __future__ import annotations

import gzip
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

from bench.report import Cell, Report
from models.bottleneck import SATURATED, Bottleneck
from profiler.bottleneck.roofline import Floats, compute_bound, shares
from profiler.bottleneck.shares import by_class

_BANDWIDTH = 760.3e9
_SINGLE = 29.77e12
_PEAKS = np.array([_SINGLE / 64, _SINGLE, _SINGLE / 2])
"""RTX 3080 in operations/s: FP64, FP32, INT32, in the order of the columns."""
_LABELS = {1: Bottleneck.COMPUTE, 0: Bottleneck.MEMORY_BANDWIDTH, -1: Bottleneck.INSUFFICIENT}
_PUBLISHED = {
    "bert_2_fwd": 0.84,
    "resnet50_4_fwd": 0.76,
    "resnet101_4_fwd": 0.79,
    "transformer_xl_4_fwd": 0.68,
    "mobilenetv2_4_fwd": 0.46,
}
"""Compute shares that the data set's description names, two digits."""


def flop_bench(folder: Path) -> Report:
    table = pd.read_csv(folder / "profiling-data.csv.gz")
    rates = table[["dpPerf", "spPerf", "intPerf"]].to_numpy()
    intensities = table[["dpAI", "spAI", "intAI"]].to_numpy()
    truth = np.any(intensities >= _PEAKS / _BANDWIDTH, axis=1)
    compute, memory = shares(rates, _PEAKS, table["traffic"].to_numpy(), np.array([_BANDWIDTH]))
    ours = compute_bound(compute, memory)
    row: dict[str, Cell] = {
        "data": "gpuflopbench",
        "n": len(table),
        "measure": "compute-bound kernels",
        "ours": int(ours.sum()),
        "truth": int(truth.sum()),
        "beside it": f"{int((~ours).sum())} bandwidth-bound; {np.mean(np.maximum(compute, memory) < SATURATED):.0%} "
        f"reach {SATURATED} of neither",
    }
    return Report("gpuflopbench", {"roofline_agreement": float(np.mean(ours == truth))}, [row])


def orion(folder: Path) -> Report:
    models = _models(folder / "model_kernels")
    rows: list[dict[str, Cell]] = []
    errors: dict[str, list[float]] = defaultdict(list)
    for name, kernels in models.items():
        ours, published = _compute_share(kernels), _PUBLISHED.get(name)
        by_name = _by_name(kernels, [other for key, other in models.items() if _family(key) != _family(name)])
        exact = float(kernels["duration"][kernels["label"] == 1].sum() / kernels["duration"].sum())
        row: dict[str, Cell] = {
            "data": f"orion {name}",
            "n": len(kernels),
            "measure": "share of time in compute kernels",
            "ours": ours,
            "truth": exact,
            "beside it": f"by name {by_name:.3f}" + (f"; published {published:.2f}" if published else ""),
        }
        rows.append(row)
        errors["orion_max_error"].append(abs(ours - exact))
        errors["orion_by_name_max_error"].append(abs(by_name - exact))
        if published:
            errors["orion_published_max_error"].append(abs(ours - published))
    return Report("orion", {name: max(found) for name, found in errors.items()}, rows)


def _models(folder: Path) -> dict[str, pd.DataFrame]:
    """Kernels by model; `fb0` files hold no label."""
    files = sorted(file for file in folder.iterdir() if "_fb0" not in file.name)
    return {file.name.removesuffix(".csv.gz"): _kernels(file) for file in files}


def _kernels(file: Path) -> pd.DataFrame:
    with gzip.open(file, "rt") as lines:
        cells = [line.rsplit(",", 4) for line in lines.read().splitlines()[1:] if line.strip()]  # names hold commas
    return pd.DataFrame(
        {"name": [c[0] for c in cells], "label": [int(c[1]) for c in cells], "duration": [float(c[4]) for c in cells]}
    )


def _family(model: str) -> str:
    return model.split("_")[0].rstrip("0123456789")


def _compute_share(kernels: pd.DataFrame) -> float:
    """Through the arithmetic by which a profile adds up its windows: each kernel is a window of its class."""
    codes = np.array([_LABELS[label] for label in kernels["label"]], dtype=np.uint8)
    seconds: Floats = by_class(codes, kernels["duration"].to_numpy() / 1e9).sum(axis=0)
    return float(seconds[Bottleneck.COMPUTE] / seconds.sum())


def _by_name(kernels: pd.DataFrame, others: list[pd.DataFrame]) -> float:
    """Each kernel by the share of compute time that kernels of its name have elsewhere; unknown names by all."""
    known = pd.concat(others)
    compute = known["duration"].where(known["label"] == 1, 0.0)
    by_name = compute.groupby(known["name"]).sum() / known.groupby("name")["duration"].sum()
    predicted = kernels["name"].map(by_name).fillna(compute.sum() / known["duration"].sum())
    return float((predicted * kernels["duration"]).sum() / kernels["duration"].sum())
