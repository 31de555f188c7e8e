"""Slack against risk, as a PNG: our curve, the peers as points."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from recommender.backtest.pareto import OVERRUN, SLACK, THROTTLED, Means
from recommender.backtest.usage import Resource

RISK = {"memory": "OOM-days, % of workload-days", "cpu": "throttled, % of time"}


def pareto_png(resource: Resource, title: str, curves: Mapping[str, Sequence[Means]], points: Sequence[Means]) -> bytes:
    """Down and left is better. Risk is on a log scale; a point without any risk is left out."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    row = OVERRUN if resource == "memory" else THROTTLED
    for label, curve in curves.items():
        at = np.array([np.nanmean(means.values, axis=1) for means in curve])
        axes.plot(at[:, row] * 100, at[:, SLACK] * 100, marker=".", label=label)
    for means in points:
        at = np.nanmean(means.values, axis=1)
        if at[row] > 0:
            axes.plot(at[row] * 100, at[SLACK] * 100, marker="x", color="tab:gray", linestyle="none")
            place = (at[row] * 100, at[SLACK] * 100)
            axes.annotate(means.name, place, fontsize=7, xytext=(3, 3), textcoords="offset points")
    axes.set(xscale="log", xlabel=RISK[resource], ylabel="slack, % of the limit", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120)
    return png.getvalue()
