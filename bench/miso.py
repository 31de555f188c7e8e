"""The MISO measurements: 32 training jobs (8 families, 4 batch sizes) on every MIG slice of an A100-40."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.hardware.geometry import MigGpu
from models.hardware.mig_table import MIG_GPUS
from models.speed.signals import Floats, WholeGpuSignals, coordinates
from recommender.mig.memory import MemorySeen

SLICES = ("1g", "2g", "3g", "4g")
POWER_LIMIT_WATTS = 250.0  # A100 PCIe 40 GB: the highest mean in the data is 247 W
_LOG = re.compile(r"(?P<slice>\dg)\.\d+gb_(?P<family>[a-z0-9]+)_train(?P<batch>\d+)\.json\.gz")


@dataclass(frozen=True, slots=True)
class Job:
    """speeds: measured, relative to 7g, by slice; a slice on which it ran out of memory is not in it."""

    family: str
    batch: int
    signals: WholeGpuSignals
    memory: MemorySeen
    speeds: Mapping[str, float]


def a100_without_1gx2m() -> MigGpu:
    """The slices that were measured."""
    gpu = MIG_GPUS["A100-40"]
    return replace(gpu, profiles=tuple(p for p in gpu.sizes if p.key in (*SLICES, "7g")))


def read_jobs(folder: Path) -> list[Job]:
    steps = {}
    for file in sorted((folder / "mig_iter_times").iterdir()):
        found = _LOG.fullmatch(file.name)
        assert found, f"{file.name} is no MISO log"
        steps[found["family"], int(found["batch"]), found["slice"]] = _median_step_s(file)
    names = sorted({(family, batch) for family, batch, _ in steps})
    return [_job(folder, family, batch, steps) for family, batch in names]


def training_rows(jobs: Sequence[Job], shares: Mapping[str, Floats]) -> tuple[Floats, Floats, Floats]:
    """Coordinates [n, 3], shares [n, 2] and speeds [n]: one row per job and slice that was measured."""
    pairs = [(job, key) for job in jobs for key in job.speeds]
    return (
        np.array([coordinates(job.signals) for job, _ in pairs]),
        np.array([shares[key] for _, key in pairs]),
        np.array([job.speeds[key] for job, key in pairs]),
    )


def _median_step_s(file: Path) -> float:
    """Median step time; the first epoch warms up and is dropped when there are others."""
    with gzip.open(file) as lines:
        epochs = json.load(lines)
    kept = sorted(epochs, key=int)
    return float(np.median(np.concatenate([epochs[epoch] for epoch in (kept[1:] or kept)])))


def _job(folder: Path, family: str, batch: int, steps: Mapping[tuple[str, int, str], float]) -> Job:
    def mean(what: str) -> float:
        values = json.loads((folder / "configs" / "util_collection" / f"{what}_{family}.json").read_text())
        return float(values[str(batch)])

    whole = steps[family, batch, "7g"]
    return Job(
        family,
        batch,
        WholeGpuSignals(mean("power"), POWER_LIMIT_WATTS, mean("util_mem") / 100, mean("util_sm") / 100),
        MemorySeen(mean("memory") * 2**20),
        {key: whole / steps[family, batch, key] for key in SLICES if (family, batch, key) in steps},
    )
