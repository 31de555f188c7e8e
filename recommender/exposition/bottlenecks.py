"""Series of what limits single workloads, and what their GPUs do, from the columns of the view."""

from __future__ import annotations

import numpy as np

from models.bottleneck import EVIDENCE, Bottleneck, of_job
from models.columns import Array
from models.hardware.discovery import name_of
from recommender.exposition.text import Exposition, Labels
from recommender.exposition.workloads import Told

_CLASSES = {int(found): (found.label, found.io_kind or "none") for found in Bottleneck}
_OF_JOB = np.array([[of_job(gpu, cpu) for cpu in Bottleneck] for gpu in Bottleneck], dtype=np.uint8)
"""[gpu, cpu]: what limits the whole."""


def whole(cpu: Array, gpu: Array, has_gpu: Array) -> Array:
    """[n] what limits each workload as a whole; without a GPU its CPU side."""
    return np.where(has_gpu, _OF_JOB[gpu, cpu], cpu)


def named(labels: Labels, found: Array) -> Labels:
    """With the class and its kind of I/O; found [n] are numbers of Bottleneck."""
    names = [_CLASSES[code] for code in found.tolist()]
    return labels.with_columns(**{"class": [name for name, _ in names], "io_kind": [kind for _, kind in names]})


def bottlenecks(told: Told, out: Exposition) -> None:
    """Class and confidence of the CPU side, the GPU side, and the whole. Without telemetry of a side it has none."""
    has_gpu, has_cpu = told["gpu_last_seen_ms"] > 0, told["last_seen_ms"] > 0
    cpu, gpu = told["cpu_bottleneck"], told["gpu_bottleneck"]
    both = whole(cpu, gpu, has_gpu)
    sure = {"cpu": told["cpu_bottleneck_confidence"], "gpu": told["gpu_bottleneck_confidence"]}
    sure["all"] = np.where(has_gpu & (both == gpu), sure["gpu"], sure["cpu"])
    seen = {"cpu": has_cpu, "gpu": has_gpu, "all": has_cpu | has_gpu}
    for device, found in {"cpu": cpu, "gpu": gpu, "all": both}.items():
        rows = np.flatnonzero(seen[device])
        labels = told.labels.take(rows).plus(device=device)
        out.one("sizewise_workload_bottleneck_info", named(labels, found[rows]))
        certain = np.where(found[rows] == Bottleneck.INSUFFICIENT, np.nan, sure[device][rows])
        out.add("sizewise_workload_bottleneck_confidence_ratio", labels, certain)


def gpu_time(told: Told, out: Exposition) -> None:
    """What the GPUs of each workload do: share of time per class, evidence, how it was found."""
    rows = np.flatnonzero(told["gpu_last_seen_ms"] > 0)
    labels = told.labels.take(rows)
    models = [_model(code) for code in told["gpu_model"][rows].tolist()]
    mig = ["true" if sliced else "false" for sliced in told["gpu_sliced"][rows].tolist()]
    out.one("sizewise_workload_gpu_info", labels.with_columns(gpu_model=models, mig=mig))
    out.add("sizewise_workload_gpus", labels, told["gpu_count"][rows].astype(np.float64))
    seconds = told["gpu_class_seconds"][rows]
    total = np.where(seconds.sum(axis=1) > 0, seconds.sum(axis=1), np.nan)
    row, found = np.nonzero(seconds > 0)
    out.add("sizewise_workload_gpu_time_ratio", named(labels.take(row), found), seconds[row, found] / total[row])
    for place, evidence in enumerate(EVIDENCE):
        values = told["gpu_evidence"][rows, place]
        out.add("sizewise_workload_gpu_evidence_ratio", labels.plus(evidence=evidence.name), values)
    out.add("sizewise_workload_gpu_counters_ratio", labels, told["gpu_counter_seconds"][rows] / total)
    out.add("sizewise_workload_gpu_learned_ratio", labels, told["gpu_learned_seconds"][rows] / total)


def _model(code: int) -> str:
    return name_of(code) or "unknown"
