"""What limits a workload, as the bodies of answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from models.bottleneck import EVIDENCE, SENTENCES, Bottleneck, of_job
from models.columns import Columns
from models.hardware.discovery import find_gpu, name_of
from models.peak16 import from_peak16
from models.profile import GPU_SIGNALS_KEPT, PEAK_DAYS
from models.signals import GPU_SIGNALS
from recommender.view import Row

Body = dict[str, Any]

_NEEDS: dict[str, str] = {
    "busy_ratio": "neither graphics engine activity nor GPU utilisation was seen",
    "compute_ratio": "no profiling counter of a math pipe (DCGM 1004, 1006 to 1008, or GPM) was seen",
    "memory_ratio": "neither DRAM activity nor memory utilisation was seen",
    "host_transfer_ratio": "no PCIe rates were seen, or it is a MIG slice, whose rates are the board's",
    "gpu_link_ratio": "no NVLink rates were seen, or the GPU has no NVLink or is not in the catalogue",
    "power_ratio": "no power was seen, no power limit is known, or it is a MIG slice, whose power is the board's",
}


_NOT_KNOWN: dict[str, str] = {
    "model": "the hardware catalogue does not know the name that the source gave",
    "intensity_flop_per_byte": "needs activity of a math pipe and of DRAM, and a model of which the catalogue knows the peaks",
    "ridge_flop_per_byte": "the catalogue has no BF16 peak for this model",
}


def bottleneck(row: Row) -> Body:
    """The body of a BottleneckAnswer: of the GPUs where it has some, else of its CPU side."""
    cpu, gpu = Bottleneck(int(row["cpu_bottleneck"])), Bottleneck(int(row["gpu_bottleneck"]))
    if not has_gpu(row):
        return _verdict(cpu, float(row["cpu_bottleneck_confidence"]))
    both = of_job(gpu, cpu)
    sure = row["gpu_bottleneck_confidence"] if both == gpu else row["cpu_bottleneck_confidence"]
    return _verdict(both, float(sure))


def has_gpu(row: Row) -> bool:
    return int(row["gpu_last_seen_ms"]) > 0


def gpu(row: Row) -> Body | None:
    """The body of a GpuAnswer; None when it never had a GPU."""
    if not has_gpu(row):
        return None
    model = find_gpu(name_of(int(row["gpu_model"])))
    seconds = np.asarray(row["gpu_class_seconds"])
    total = float(seconds.sum()) or 1.0
    found = np.asarray(row["gpu_evidence"], dtype=np.float64)
    low, high, ridge = np.asarray(row["gpu_roofline"], dtype=np.float64).tolist()
    body: Body = {
        "model": model.name if model else None,
        "gpus": int(row["gpu_count"]),
        "mig_slice": bool(row["gpu_sliced"]),
        "last_seen": datetime.fromtimestamp(int(row["gpu_last_seen_ms"]) / 1000, UTC)
        .isoformat()
        .replace("+00:00", "Z"),
        "covered_hours": round(int(row["gpu_covered_ms"]) / 3_600_000, 4),
        "bottleneck": _verdict(Bottleneck(int(row["gpu_bottleneck"])), float(row["gpu_bottleneck_confidence"])),
        "time": _shares(seconds / total),
        "evidence": [_evidence(i, float(value)) for i, value in enumerate(found)],
        "counters_ratio": round(float(row["gpu_counter_seconds"]) / total, 4),
        "learned_ratio": round(float(row["gpu_learned_seconds"]) / total, 4),
        "intensity_flop_per_byte": [round(low, 1), round(high, 1)] if low > 0 and high > 0 else None,
        "ridge_flop_per_byte": _rounded(ridge if ridge > 0 else model.ridge_flop_per_byte) if model else None,
    }
    return body | {"missing": {name: why for name, why in _NOT_KNOWN.items() if body[name] is None}}


def gpu_signals(profile: Columns) -> list[Body]:
    """Bodies of GpuSignalAnswer, from the whole profile of one workload."""
    total, weight = profile["gpu_signal_sum"][0], profile["gpu_signal_weight"][0]
    known = {signal.name: signal for signal in GPU_SIGNALS}
    return [
        {
            "name": name,
            "unit": known[name].unit,
            "help": known[name].help,
            "mean": float(total[i] / weight[i]) if weight[i] > 0 else None,
            "missing": None if weight[i] > 0 else "no source gave a value for this workload",
        }
        for i, name in enumerate(GPU_SIGNALS_KEPT)
    ]


def framebuffer_days(profile: Columns) -> list[Body]:
    """Bodies of FramebufferDay, oldest first."""
    newest, peaks = int(profile["gpu_newest_day"][0]), from_peak16(profile["gpu_framebuffer_peak"][0])
    days = (day for day in range(newest - PEAK_DAYS + 1, newest + 1) if peaks[day % PEAK_DAYS] > 0)
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return [
        {"day": (start + timedelta(days=day)).date().isoformat(), "peak_bytes": float(peaks[day % PEAK_DAYS])}
        for day in days
    ]


def _verdict(found: Bottleneck, confidence: float) -> Body:
    sure = None if found == Bottleneck.INSUFFICIENT else _rounded(confidence)
    return {
        "class": found.label,
        "io_kind": found.io_kind or "none",
        "sentence": SENTENCES[found],
        "confidence_ratio": sure,
        "missing": {} if sure is not None else {"confidence_ratio": "no class is given, so none is sure"},
    }


def _shares(shares: np.ndarray[Any, Any]) -> list[Body]:
    order = [Bottleneck(int(code)) for code in np.argsort(-shares, kind="stable") if shares[code] > 0]
    return [{"class": b.label, "io_kind": b.io_kind or "none", "time_ratio": round(float(shares[b]), 4)} for b in order]


def _evidence(place: int, value: float) -> Body:
    declared = EVIDENCE[place]
    missing = {"value": _NEEDS[declared.name]} if np.isnan(value) else {}
    return {"name": declared.name, "value": _rounded(value), "help": declared.help, "missing": missing}


def _rounded(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(value, 4)
