"""Rows of the report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from bench.report import Cell
from bench.sizing.hourly import SHOWN_PRICE, Hourly
from recommender.backtest.trial import DATA_SET, SHOWN, Entry, Trial
from recommender.backtest.usage import Resource

Row = Mapping[str, Cell]


def rows(trial: Trial) -> Iterator[Row]:
    """Peers, then ours at a few prices of risk."""
    hold, data_set = f"{trial.hold_days} d", trial.data_set
    for entry in trial.peers:
        yield row(trial.resource, hold, entry, data_set=data_set)
    shown = {f"λ={price:g}" for price in SHOWN[trial.resource]}
    for mode, curve in trial.curves.items():
        label = "" if mode == "sizewise" else f", {mode}"
        for entry in curve:
            price = entry.name.split()[1]
            if price in shown:
                yield row(trial.resource, hold, entry, f"sizewise {price}{label}", data_set)


def hourly_rows(done: Hourly) -> Iterator[Row]:
    """Peers decided every hour; ours at one price, daily and in place."""
    for entry in done.peers:
        yield row(done.resource, "1 h", entry)
    shown = f"λ={SHOWN_PRICE:g}"
    for hold, curve in (("1 d", done.daily), ("1 d", done.calm), ("1 h", done.in_place)):
        yield from (row(done.resource, hold, entry) for entry in curve if entry.name.split()[1] == shown)


def row(resource: Resource, hold: str, entry: Entry, name: str = "", data_set: str = DATA_SET) -> Row:
    """Shares in percent; `half` columns are the second half of the month alone, of a data set that has a month."""
    whole, half = entry.scores()
    return {
        "data": data_set,
        "policy": name or entry.name,
        "resource": resource,
        "hold": hold,
        "slack %": percent(whole.slack),
        "risk %": percent(whole.risk(resource)),
        "churn %": percent(whole.churn),
        "size/P95": round(whole.size_ratio, 2),
        "half slack %": percent(half.slack),
        "half risk %": percent(half.risk(resource)),
    }


def percent(share: float) -> float | None:
    """None where nothing was scored."""
    return None if math.isnan(share) else round(share * 100, 2)
