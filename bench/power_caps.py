"""Training jobs under power limits (Zeus): how much a job slows down when the GPU may draw less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from bench.report import Cell, Report
from models.bottleneck import SATURATED
from models.signals import GPU_SIGNALS
from profiler.bottleneck.boards import Boards, Floats
from profiler.bottleneck.evidence import SIGNAL, power

_GPUS = ("a40", "p100", "rtx6000", "v100")
_JOB = ["dataset", "network", "batch_size", "optimizer"]
_CUT = 0.6


def zeus(folder: Path) -> Report:
    rows = [_row(gpu, _jobs(pd.read_csv(folder / f"summary_power_{gpu}.csv"))) for gpu in _GPUS]
    found = [float(row["ours"] or 0) for row in rows]
    figures = {"zeus_rank_correlation": float(np.mean(found)), "zeus_rank_correlation_min": min(found)}
    return Report("zeus", figures, rows)


def _jobs(table: pd.DataFrame) -> pd.DataFrame:
    """One row a job: power above idle at the full limit, slow-down at the lowest limit and at _CUT of the full one."""
    full = float(table["power_limit"].max())
    rows = []
    for _, runs in table.groupby(_JOB):
        runs = runs.sort_values("power_limit")
        free, cut = runs.iloc[-1], runs[runs["power_limit"] >= _CUT * full].iloc[0]
        if free["power_limit"] == full:
            lowest, middle = (float(run["time_per_epoch"] / free["time_per_epoch"]) for run in (runs.iloc[0], cut))
            rows.append((float(free["average_power"]), lowest, middle))
    watts, lowest_limit, at_cut = np.array(rows).T
    return pd.DataFrame({"power": _power_ratio(watts, full), "lowest": lowest_limit, "cut": at_cut})


def _power_ratio(watts: Floats, limit: float) -> Floats:
    """The evidence that the class rests on when only power is known."""
    values = np.full((len(GPU_SIGNALS), len(watts)), np.nan)
    values[SIGNAL["power_watts"]], values[SIGNAL["power_limit_watts"]] = watts, limit
    everywhere = np.ones(len(watts), dtype=np.bool_)
    return power(values, Boards.of([""], np.zeros(len(watts), dtype=np.intp), everywhere))


def _row(gpu: str, jobs: pd.DataFrame) -> dict[str, Cell]:
    could = jobs["power"] >= SATURATED
    return {
        "data": f"zeus {gpu}",
        "n": len(jobs),
        "measure": "rho of power and slow-down",
        "ours": float(spearmanr(jobs["power"], jobs["lowest"]).statistic),
        "beside it": f"at {_CUT:.0%} of the limit {spearmanr(jobs['power'], jobs['cut']).statistic:.2f}; slow-down of the "
        f"{int(could.sum())} that could be compute {jobs['lowest'][could].mean():.2f}, of others "
        f"{jobs['lowest'][~could].mean():.2f}",
    }
