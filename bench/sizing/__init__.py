"""Vertical sizing replayed on public traces: sizewise beside VPA, KRR, Autopilot and the rest, with figures and pictures."""

from __future__ import annotations

from pathlib import Path

from bench.report import Report, require_data
from bench.sizing import figures, golden, hourly
from bench.sizing.pictures import pareto_png
from bench.sizing.speed import size_workloads_s
from bench.sizing.table import hourly_rows, rows
from recommender.backtest.datasets import bitbrains, crane, nab
from recommender.backtest.trial import Trial, trial


def run(data: Path | None) -> Report:
    """Needs the data sets bitbrains-rnd, nab-aws, crane-dsp and vpa-golden."""
    checked = golden.check(data)
    fleet = bitbrains(require_data(data, "bitbrains-rnd"))
    trials = [trial(usage, hold_days) for usage in (fleet["memory"], fleet["cpu"]) for hold_days in (1, 7)]
    numbers = {"vpa_golden_values": float(checked.values), "vpa_golden_mismatches": float(checked.mismatches)}
    for done in trials:
        numbers |= dict(figures.comparisons(done))
    targeted = [done for usage in fleet.values() for done in figures.targets(usage)]
    for done_target in targeted:
        numbers |= dict(figures.target_figures(done_target))
    every_hour = [hourly.hourly(fleet["memory"]), hourly.hourly(fleet["cpu"])]
    numbers |= dict(hourly.figures(every_hour[1]))
    other = [
        trial(read(require_data(data, name))["cpu"], 1, data_set=name)
        for name, read in (("nab-aws", nab), ("crane-dsp", crane))
    ]
    for done in other:
        name = done.data_set.split("-")[0]
        numbers |= {f"{name}_{figure}": value for figure, value in figures.comparisons(done)}
    numbers["size_1000_workloads_s"] = size_workloads_s(fleet)
    return Report(
        title=f"Sizing {len(fleet['cpu'].workloads)} VMs of Bitbrains, 30 days of 5-minute usage, decisions for days 8 to 30",
        figures=numbers,
        rows=[
            *(row for done in trials for row in rows(done)),
            *(row for done in every_hour for row in hourly_rows(done)),
            *(row for done in other for row in rows(done)),
        ],
        notes=[
            *figures.NOTES,
            *(line for done in trials for line in figures.intervals(done)),
            *(figures.target_intervals(done) for done in targeted),
        ],
        pictures={picture_name(done): picture(done) for done in trials},
    )


def picture_name(done: Trial) -> str:
    return f"sizing-{done.resource}-{done.hold_days}d.png"


def picture(done: Trial) -> bytes:
    curves = {mode: [entry.means() for entry in curve] for mode, curve in done.curves.items()}
    title = f"{done.resource}, decisions held for {done.hold_days} d"
    return pareto_png(done.resource, title, curves, [entry.means() for entry in done.peers])
