"""The roofline rule against three public measurements: kernels with counters, kernels with labels, jobs under power caps."""

from __future__ import annotations

from pathlib import Path

from bench.gpu_kernels import flop_bench, orion
from bench.power_caps import zeus
from bench.report import Report, require_data


def run(data: Path | None) -> Report:
    kernels = flop_bench(require_data(data, "gpuflopbench-roofline"))
    models = orion(require_data(data, "orion-kernels"))
    jobs = zeus(require_data(data, "zeus"))
    figures = dict(kernels.figures) | dict(models.figures) | dict(jobs.figures)
    rows = [*kernels.rows, *models.rows, *jobs.rows]
    return Report("Roofline class against public measurements", figures, rows, _NOTES)


_NOTES = (
    "gpuflopbench: 3,436 launches on an RTX 3080. Truth: its arithmetic intensities against the ridge points of SP, DP and "
    "INT. Ours: achieved rates over peaks, intensities not read. A check of the rule, not of a prediction.",
    "orion: kernels on a V100, labelled compute, memory or unknown. The files hold labels and durations and no counter: "
    "nothing can be predicted by physics, and orion_max_error is that of the profile's time weighting against exact sums. "
    "`by name` predicts each kernel from kernels of its name in other model families, and is no part of the product.",
    "zeus: training jobs under power limits. rho: Spearman's, over jobs, of power above idle at the full limit (what the "
    "class rests on where only power is known) and the slow-down at the lowest limit, or at 60 % of the full one. `could "
    "be compute`: power pays for a math pipe at 0.6 of its peak.",
)
