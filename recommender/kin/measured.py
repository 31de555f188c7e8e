"""What known workloads came to need, as columns over all rows of a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bottleneck import CLASSES
from models.columns import Array, empty_arrays
from models.duration8 import from_duration8
from models.hardware.discovery import find_gpu, name_of
from models.peak16 import from_peak16
from models.profile import CPU
from models.profile import MEMORY as RAM
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.kin.job import JobFacts, batch_size_of
from recommender.view import SUMMARY_FIELDS, Slab, Snapshot

Floats = NDArray[np.float64]

_HOUR_MS = 3_600_000
_EMPTY = empty_arrays(SUMMARY_FIELDS + RECOMMENDATION_FIELDS, 0)

QUANTITIES: tuple[str, ...] = (
    "cpu_p50_cores",
    "cpu_p95_cores",
    "cpu_peak_cores",
    "memory_p50_bytes",
    "memory_p95_bytes",
    "memory_peak_bytes",
    "gpu_memory_peak_bytes",
    "run_time_s",
)
"""What is predicted, per instance; device memory per GPU."""
MEMORY = QUANTITIES.index("gpu_memory_peak_bytes")
SHARE = len(QUANTITIES)
"""Column after them: device memory as a share of the board's, which is what stays the same of programs that fill a board."""
COLUMNS = len(QUANTITIES) + 1
LEAST: Floats = np.array([1e-3, 1e-3, 1e-3, 2**20, 2**20, 2**20, 2**20, 1.0, 1e-4])
"""What counts as no less: a millicore, a mebibyte, a second, a ten-thousandth. Logarithms need one."""

SIZES: tuple[str, ...] = ("batch", "gpus", "gpu_memory", "cpu_request", "memory_request")
BOARD = SIZES.index("gpu_memory")
SIZE_SCALE: Floats = np.array([1.5, 1.5, 1.0, 3.0, 3.0])
"""Logarithm of the ratio of a size at which kin keeps 1/e of its weight. Batch and GPUs scale what a job needs; requests are
somebody's guess, and the board only bounds."""


@dataclass(frozen=True, slots=True)
class Measured:
    """logs [n, COLUMNS]: logarithms, NaN where not known; sizes [n, SIZES]: the same; trust [n, COLUMNS]: 0 to 1, how far it
    can be relied on: an hour of telemetry, or one finished run, is a half; gpu [n]: whether it has GPUs; board [n]: code of
    its GPU model (models.hardware.discovery), 0: none or not known; classes [n, CLASSES]: share of time in each bottleneck
    class, of its GPUs where it has some, else of its CPU side; 0 throughout: not known."""

    workloads: Sequence[str]
    logs: Floats
    sizes: Floats
    trust: Floats
    gpu: NDArray[np.bool_]
    board: NDArray[np.uint32]
    classes: Floats

    @classmethod
    def of(cls, snapshot: Snapshot, commands: Sequence[str]) -> Measured:
        """commands [n]: command lines of the rows, empty where unknown."""
        slabs = list(snapshot.slabs.values())
        gpu = _joined(slabs, "gpu_last_seen_ms") > 0
        peaks = from_peak16(_joined(slabs, "gpu_framebuffer_peak")).max(axis=1, initial=0)
        used, sizes = np.where(gpu & (peaks > 0), peaks, np.nan), _sizes(slabs, commands)
        needed = np.column_stack(
            [
                *(_joined(slabs, name)[:, CPU] for name in ("usage_p50", "usage_p95", "usage_peak")),
                *(_joined(slabs, name)[:, RAM] for name in ("usage_p50", "usage_p95", "usage_peak")),
                used,
                _median_run(_joined(slabs, "run_length")),
                used / np.exp(sizes[:, BOARD]),
            ]
        )
        return cls(
            [workload for slab in slabs for workload in slab.ids],
            np.log(np.maximum(needed, LEAST)),
            sizes,
            _trust(slabs),
            gpu,
            _joined(slabs, "gpu_model"),
            _classes(slabs, gpu),
        )


def _trust(slabs: Sequence[Slab]) -> Floats:
    hours = np.maximum(_joined(slabs, "covered_ms"), _joined(slabs, "gpu_covered_ms")) / _HOUR_MS
    runs = np.count_nonzero(_joined(slabs, "run_length"), axis=1)
    seen = [hours] * (len(QUANTITIES) - 1) + [runs, hours]
    return np.column_stack([count / (count + 1.0) for count in seen])


def sizes_of(job: JobFacts) -> Floats:
    """[SIZES]: logarithms, NaN where the job does not say."""
    board = find_gpu(job.gpu_model) if job.gpu_model else None
    batch = job.batch_size or batch_size_of(" ".join(job.command))
    said = (batch, job.gpus, board and board.memory_bytes, job.cpu_cores, job.memory_bytes)
    return _logs(np.array([value or np.nan for value in said], dtype=np.float64))


def _joined(slabs: Sequence[Slab], name: str) -> Array:
    return np.concatenate([_EMPTY[name], *(slab.columns[name] for slab in slabs)])


def _median_run(codes: Array) -> Floats:
    """Seconds, [n]: of the finished runs that are kept; NaN where none finished."""
    seconds = from_duration8(codes)
    out = np.full(len(seconds), np.nan)
    known = ~np.isnan(seconds).all(axis=1)
    out[known] = np.nanmedian(seconds[known], axis=1)
    return out


def _sizes(slabs: Sequence[Slab], commands: Sequence[str]) -> Floats:
    batch = [(batch_size_of(command) if command else None) or np.nan for command in commands]
    models, place = np.unique(_joined(slabs, "gpu_model"), return_inverse=True)
    boards = [find_gpu(name_of(int(code))) if code else None for code in models]
    memory = np.array([board.memory_bytes if board else np.nan for board in boards], dtype=np.float64)
    requests = _joined(slabs, "request_now")
    columns = (np.array(batch), _joined(slabs, "gpu_count"), memory[place], requests[:, CPU], requests[:, RAM])
    return _logs(np.column_stack(columns).astype(np.float64))


def _logs(values: Floats) -> Floats:
    return np.log(np.where(values > 0, values, np.nan))


def _classes(slabs: Sequence[Slab], gpu: Array) -> Floats:
    seconds = _joined(slabs, "gpu_class_seconds").astype(np.float64)
    seconds[:, 0] = 0.0  # insufficient: time of which nothing is known
    found = _joined(slabs, "cpu_bottleneck")
    sure = np.where(found > 0, _joined(slabs, "cpu_bottleneck_confidence"), 0.0)
    of_cpu = np.eye(CLASSES)[found] * sure[:, None]
    chosen = np.where(gpu[:, None], seconds, of_cpu)
    total = chosen.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(chosen, total, out=np.zeros_like(chosen), where=total > 0))
