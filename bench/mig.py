"""MIG size from whole-GPU telemetry: error of slice speed, and the smallest slice within a slowdown.

Leave one model family out: nothing is learned from the family that is scored. Data: miso-mig.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from bench.miso import SLICES, Job, a100_without_1gx2m, read_jobs, training_rows
from bench.report import Cell, Report, require_data
from models.speed.artifact import SpeedCard, SpeedModel
from models.speed.signals import Floats, coordinates
from models.speed.train import learn
from recommender.mig.choose import GpuWorkload, SlicePolicy, choose_slice, slice_shares

_GPU = a100_without_1gx2m()
_SIZES = {"1g": 1, "2g": 2, "3g": 3, "4g": 4, "7g": 7}
SHARES = dict(zip(_SIZES, slice_shares(_GPU, _GPU.sizes), strict=True))
_MEASURED = np.array([SHARES[key] for key in SLICES])
_CARD = SpeedCard("bench", "0", "", 0, "nvml", "A100-PCIe-40", 0, 0, "miso-mig", "MIT", "", {})
_SLOWDOWNS = (0.10, 0.20)


@dataclass(frozen=True, slots=True)
class Answer:
    """One way to answer. speeds: [jobs, 4] predicted, None when it predicts none. sizes: chosen slice per slowdown."""

    name: str
    speeds: Floats | None
    sizes: dict[float, list[str]]
    probes: int = 0


def run(data: Path | None) -> Report:
    jobs = read_jobs(require_data(data, "miso-mig"))
    models = {family: _learn([j for j in jobs if j.family != family]) for family in {j.family for j in jobs}}
    ours = _ours("sizewise", jobs, models)
    probed = {key: _ours(f"sizewise, measured on {key}", jobs, models, key) for key in ("4g", "3g", "2g")}
    asked = _ours("sizewise, measured where it asks", jobs, models, "asked")
    elsewhere = _ours("sizewise, as if on an H100, measured where it asks", jobs, models, "asked", "H100-SXM-80")
    forest = _forest_speeds(jobs)
    roofline = np.array([models[j.family].roofline.predict(coordinates(j.signals), _MEASURED) for j in jobs])
    answers = [
        ours, *probed.values(), asked, elsewhere,
        _by_speed("roofline form, 6 numbers", jobs, roofline),
        _by_speed("random forest, raw signals (peer)", jobs, forest),
        _by_rule("GPU_UTIL and memory (Kruize's rule)", jobs, _kruize),
        _by_rule("smallest that holds memory", jobs, lambda job: next(filter(_holds(job), _SIZES))),
        _by_rule("always 7g", jobs, lambda _: "7g"),
    ]  # fmt: skip
    rows = [_row(answer, jobs) for answer in answers]
    return Report("MIG size on 32 jobs of MISO, leave one family out", _figures(rows), rows, _NOTES)


_NOTES = (
    "e/o/u: exact, over, under of 32; best = smallest slice with measured speed of at least 1/(1+slowdown), else 7g.",
    "waste: mean of max(chosen - best, 0)/7. Always 7g scores 21 exact, so exact says little without waste and under.",
    "Speed errors are over the 113 measured pairs; 0 in a measured row: that slice's truth is known.",
    "As if on an H100: the same signals with the wider error that is reckoned with on other boards.",
    "32 jobs of 8 families: differences of two jobs are not significant. Settings were chosen on these jobs.",
)


def _learn(jobs: Sequence[Job]) -> SpeedModel:
    return learn(*training_rows(jobs, SHARES), _CARD)


def _ours(name: str, jobs: Sequence[Job], models: dict[str, SpeedModel], probe: str = "", board: str = "") -> Answer:
    """The product's own decision. probe: the slice measured for every job (3g where it is out of memory), or `asked`:
    the slice that the advice asks for, where it asks. board: the GPU that the signals are said to be of."""
    sizes: dict[float, list[str]] = {}
    speeds: list[list[float]] = []
    measured = 0
    for slowdown in _SLOWDOWNS:
        advices = [_advice(job, models[job.family], slowdown, probe, board) for job in jobs]
        sizes[slowdown] = [size for size, _, _ in advices]
        if slowdown == _SLOWDOWNS[0]:
            speeds = [[predicted[key] for key in SLICES] for _, predicted, _ in advices]
            measured = sum(probed for _, _, probed in advices)
    return Answer(name, np.array(speeds), sizes, measured)


def _advice(job: Job, model: SpeedModel, slowdown: float, probe: str, board: str) -> tuple[str, dict[str, float], bool]:
    workload = GpuWorkload(job.signals, job.memory, gpu_model=board)
    policy = SlicePolicy(max_slowdown_ratio=slowdown)
    if probe == "asked":
        wanted = choose_slice(workload, _GPU, model, policy).probe
        wanted = wanted if wanted in job.speeds else ""
    else:
        wanted = probe if probe in job.speeds or not probe else "3g"
    if wanted:
        workload = replace(workload, probes={wanted: job.speeds[wanted]})
    advice = choose_slice(workload, _GPU, model, policy)
    return (advice.profile or _GPU.whole).key, dict(advice.speeds), bool(wanted)


def _forest_speeds(jobs: Sequence[Job]) -> Floats:
    """The published baseline: a random forest a slice on the four raw means, leave one family out; mean of five seeds,
    because single seeds answer 22 to 26 of 32 exactly."""
    raw = np.array([_raw(job) for job in jobs])
    truth = _truth(jobs)
    family = np.array([job.family for job in jobs])
    speeds = np.empty_like(truth)
    for left_out in np.unique(family):
        for k in range(len(SLICES)):
            known = (family != left_out) & np.isfinite(truth[:, k])
            forests = [RandomForestRegressor(random_state=seed).fit(raw[known], truth[known, k]) for seed in range(5)]
            speeds[family == left_out, k] = np.mean([f.predict(raw[family == left_out]) for f in forests], axis=0)
    return speeds


def _raw(job: Job) -> list[float]:
    s = job.signals
    values = (s.gpu_utilization_ratio, s.memory_copy_utilization_ratio, job.memory.held_peak_bytes, s.power_watts)
    return [float(value or 0) for value in values]


def _truth(jobs: Sequence[Job]) -> Floats:
    return np.array([[job.speeds.get(key, np.nan) for key in SLICES] for job in jobs])


def _holds(job: Job) -> Callable[[str], bool]:
    need = job.memory.held_peak_bytes or 0.0
    return lambda key: need <= (_GPU.profile(key).memory_bytes or 0)


def _kruize(job: Job) -> str:
    """Compute share at least GPU_UTIL, and memory."""
    busy = job.signals.gpu_utilization_ratio or 0.0
    return next((key for key in SLICES if _holds(job)(key) and busy <= SHARES[key][0]), "7g")


def _by_rule(name: str, jobs: Sequence[Job], rule: Callable[[Job], str]) -> Answer:
    return Answer(name, None, {slowdown: [rule(job) for job in jobs] for slowdown in _SLOWDOWNS})


def _by_speed(name: str, jobs: Sequence[Job], speeds: Floats) -> Answer:
    def size(row: int, line: float) -> str:
        return next((k for n, k in enumerate(SLICES) if _holds(jobs[row])(k) and speeds[row, n] >= line), "7g")

    return Answer(name, speeds, {s: [size(row, 1 / (1 + s)) for row in range(len(jobs))] for s in _SLOWDOWNS})


def _best(job: Job, slowdown: float) -> str:
    return next((key for key in SLICES if job.speeds.get(key, 0.0) >= 1 / (1 + slowdown)), "7g")


def _row(answer: Answer, jobs: Sequence[Job]) -> dict[str, Cell]:
    row: dict[str, Cell] = {"answer": answer.name}
    if answer.speeds is not None:
        errors = np.nanmean(np.abs(answer.speeds - _truth(jobs)), axis=0)
        row |= {f"MAE {key}": float(errors[k]) for k, key in reversed(list(enumerate(SLICES)))}
    for slowdown in _SLOWDOWNS:
        percent = round(slowdown * 100)
        chosen = np.array([_SIZES[size] for size in answer.sizes[slowdown]])
        best = np.array([_SIZES[_best(job, slowdown)] for job in jobs])
        counts = (int(np.sum(chosen == best)), int(np.sum(chosen > best)), int(np.sum(chosen < best)))
        row[f"<={percent} % e/o/u"] = "/".join(map(str, counts))
        row[f"waste {percent}"] = float(np.mean(np.maximum(chosen - best, 0)) / 7)
    if answer.probes:
        row["measured"] = answer.probes
    return row


def _figures(rows: Sequence[dict[str, Cell]]) -> dict[str, float]:
    ours, probed = rows[0], rows[1]
    exact, _, under = map(int, str(ours["<=10 % e/o/u"]).split("/"))
    return {
        **{f"mig_mae_{key}": float(ours[f"MAE {key}"] or 0) for key in reversed(SLICES)},
        "mig_exact_10": exact,
        "mig_under_10": under,
        "mig_waste_10": float(ours["waste 10"] or 0),
        "mig_exact_20": int(str(ours["<=20 % e/o/u"]).split("/")[0]),
        **{f"mig_probe_exact_{n}": int(str(probed[f"<={n} % e/o/u"]).split("/")[0]) for n in (10, 20)},
        **{f"mig_probe_under_{n}": int(str(probed[f"<={n} % e/o/u"]).split("/")[2]) for n in (10, 20)},
    }
