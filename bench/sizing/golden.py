"""Does our VPA answer what the real VPA recommender answered? 4,758 values on 60 series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from bench.report import require_data
from models.columns import Array
from recommender.backtest.peers.vpa.recommender import Answer, VpaRecommender
from recommender.backtest.usage import Resource

TOLERANCE: dict[Resource, float] = {"cpu": 0.001 + 1e-9, "memory": 6.0}
"""One millicore and six bytes."""
BOUNDS = ("target", "lower", "upper")


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    values: int
    mismatches: int
    largest_cpu_cores: float
    largest_memory_bytes: float


def check(data: Path | None) -> GoldenCheck:
    """Feed every series as the golden set was fed and compare every answer."""
    folder = require_data(data, "vpa-golden")
    golden = pd.read_csv(folder / "golden.csv")
    series = {str(name): part for name, part in pd.read_parquet(folder / "series.parquet").groupby("series_id")}
    off: dict[Resource, list[float]] = {"cpu": [], "memory": []}
    for name, answers in golden.groupby("series_id"):
        for resource, difference in _differences(series[str(name)], answers):
            off[resource].append(difference)
    wrong = sum(difference > TOLERANCE[resource] for resource in off for difference in off[resource])
    return GoldenCheck(len(off["cpu"]) + len(off["memory"]), wrong, max(off["cpu"]), max(off["memory"]))


def _differences(series: pd.DataFrame, answers: pd.DataFrame) -> Iterator[tuple[Resource, float]]:
    times = np.sort(answers.decision_unix_seconds.unique())
    for time_s, given in zip(times, replayed(series, times), strict=True):
        for row in answers[answers.decision_unix_seconds == time_s].itertuples():
            resource: Resource = "cpu" if row.resource == "cpu" else "memory"
            ours = given[resource]
            for bound in BOUNDS:
                yield resource, abs(float(getattr(ours, bound)[0]) - getattr(row, bound))


def replayed(series: pd.DataFrame, times: Array) -> Iterator[dict[Resource, Answer]]:
    """The answers at each decision, which sees the rows before the first one that is not older than it."""
    vpa = VpaRecommender(1)
    seconds = series.unix_seconds.to_numpy()
    resource, value = series.resource.to_numpy(dtype=str), series.value.to_numpy()
    fed = 0
    for time_s in times:
        late = seconds >= time_s
        until = int(late.argmax()) if late.any() else len(seconds)
        feed(vpa, seconds[fed:until].astype(float), resource[fed:until], value[fed:until])
        fed = until
        yield {"cpu": vpa.answer("cpu"), "memory": vpa.answer("memory")}


def feed(vpa: VpaRecommender, seconds: Array, resource: Array, value: Array) -> None:
    """Rows in their order of arrival; CPU and memory do not depend on each other, so only OOM kills cut a run."""
    cuts = [0, *(np.flatnonzero(resource == "oom") + 1).tolist(), len(value)]
    for start, end in pairwise(cuts):
        run = slice(start, end)
        cpu, memory, oom = (resource[run] == kind for kind in ("cpu", "memory", "oom"))
        if cpu.any():
            vpa.add_cpu(seconds[run][cpu], value[run][cpu][None])
        if memory.any():
            vpa.add_memory(seconds[run][memory], value[run][memory][None])
        if oom.any():
            vpa.add_oom(np.array([0]), seconds[run][oom], value[run][oom])
