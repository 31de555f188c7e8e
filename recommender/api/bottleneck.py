"""What limits a workload, and on what evidence, as the bodies of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from models.bottleneck import BUSY, EVIDENCE, HOST, MOSTLY_IDLE_BELOW, SENTENCES, Bottleneck, Evidence, of_job
from models.columns import Columns
from models.cpu_bottleneck import CPU_EVIDENCE, SIGNAL, cpu_evidence
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


_CPU_NEEDS: dict[str, str] = {
    "cpu_at_limit_ratio": "it has no CPU limit, or no source tells of its CPU and its limit",
    "cpu_stopped_ratio": "no source told how often its CPU limit stopped it, or it has none",
    "cpu_wait_ratio": "no CPU pressure (PSI) was seen",
    "memory_wait_ratio": "no memory pressure (PSI) was seen",
    "disk_wait_ratio": "neither I/O pressure (PSI) nor disk rates were seen",
    "network_ratio": "no network rates were seen",
}
_GPU_DECIDES: dict[str, str] = {
    "busy_ratio": "how busy it is (graphics engine activity or GPU utilisation)",
    "compute_ratio": "a profiling counter of a math pipe (DCGM 1004, 1006 to 1008, or GPM)",
    "memory_ratio": "DRAM activity or memory utilisation",
    "host_transfer_ratio": "PCIe rates",
    "power_ratio": "power and its limit",
}
"""Evidence whose absence may leave the class open, as a sentence names it. Copies matter where little else runs."""


_NOT_KNOWN: dict[str, str] = {
    "model": "the hardware catalogue does not know the name that the source gave",
    "intensity_flop_per_byte": "needs activity of a math pipe and of DRAM, and a model of which the catalogue knows the peaks",
    "ridge_flop_per_byte": "the catalogue has no BF16 peak for this model",
}


def bottleneck(row: Row) -> Body:
    """The body of a BottleneckAnswer: of the GPUs where it has some, else of its CPU side."""
    cpu, gpu = Bottleneck(int(row["cpu_bottleneck"])), Bottleneck(int(row["gpu_bottleneck"]))
    if not has_gpu(row):
        return _of_cpu(row)
    return _of_gpu(row) if of_job(gpu, cpu) == gpu else _of_cpu(row)


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
        "bottleneck": _of_gpu(row),
        "time": _shares(seconds / total),
        "evidence": _evidence(EVIDENCE, _NEEDS, found),
        "counters_ratio": round(float(row["gpu_counter_seconds"]) / total, 4),
        "learned_ratio": round(float(row["gpu_learned_seconds"]) / total, 4),
        "intensity_flop_per_byte": [round(low, 1), round(high, 1)] if low > 0 and high > 0 else None,
        "ridge_flop_per_byte": _rounded(ridge if ridge > 0 else model.ridge_flop_per_byte) if model else None,
    }
    return body | {"missing": {name: why for name, why in _NOT_KNOWN.items() if body[name] is None}}


def cpu_side(row: Row) -> Body | None:
    """The body of a CpuSideAnswer; None before any CPU or memory telemetry."""
    if int(row["last_seen_ms"]) == 0:
        return None
    means = np.asarray(row["signal_mean"], dtype=np.float64)[:, None]
    return {"bottleneck": _of_cpu(row), "evidence": _evidence(CPU_EVIDENCE, _CPU_NEEDS, cpu_evidence(means)[:, 0])}


def gpu_signals(profile: Columns, why_missing: Callable[[str], str]) -> list[Body]:
    """Bodies of GpuSignalAnswer, from the whole profile of one workload. why_missing: of a signal that nobody gave."""
    total, weight = profile["gpu_signal_sum"][0], profile["gpu_signal_weight"][0]
    known = {signal.name: signal for signal in GPU_SIGNALS}
    return [
        {
            "name": name,
            "unit": known[name].unit,
            "help": known[name].help,
            "mean": float(total[i] / weight[i]) if weight[i] > 0 else None,
            "missing": None if weight[i] > 0 else why_missing(name),
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


def _of_gpu(row: Row) -> Body:
    evidence = np.asarray(row["gpu_evidence"], dtype=np.float64)
    lacking = [one.name for one, value in zip(EVIDENCE, evidence, strict=True) if np.isnan(value)]
    if evidence[BUSY] >= MOSTLY_IDLE_BELOW:
        lacking = [name for name in lacking if name != EVIDENCE[HOST].name]
    named = [_GPU_DECIDES[name] for name in lacking if name in _GPU_DECIDES]
    return _verdict(Bottleneck(int(row["gpu_bottleneck"])), float(row["gpu_bottleneck_confidence"]), named)


def _of_cpu(row: Row) -> Body:
    blind = [signal for signal in ("cpu_cores", "io_pressure_ratio") if np.isnan(row["signal_mean"][SIGNAL[signal]])]
    return _verdict(Bottleneck(int(row["cpu_bottleneck"])), float(row["cpu_bottleneck_confidence"]), blind)


def _verdict(found: Bottleneck, confidence: float, lacking: Sequence[str]) -> Body:
    """lacking: signals that would decide and are not there."""
    given = found != Bottleneck.INSUFFICIENT
    named = f": {'; '.join(lacking)}" if lacking and not given else ""
    sure = _rounded(confidence) if given else None
    return {
        "class": found.label,
        "io_kind": found.io_kind or "none",
        "sentence": SENTENCES[found] + named,
        "confidence_ratio": sure,
        "missing": {} if sure is not None else {"confidence_ratio": "no class is given, so none is sure"},
    }


def _shares(shares: np.ndarray[Any, Any]) -> list[Body]:
    order = [Bottleneck(int(code)) for code in np.argsort(-shares, kind="stable") if shares[code] > 0]
    return [{"class": b.label, "io_kind": b.io_kind or "none", "time_ratio": round(float(shares[b]), 4)} for b in order]


def _evidence(declared: Sequence[Evidence], needs: Mapping[str, str], values: np.ndarray[Any, Any]) -> list[Body]:
    return [
        {
            "name": one.name,
            "value": _rounded(float(value)),
            "help": one.help,
            "missing": {"value": needs[one.name]} if np.isnan(value) else {},
        }
        for one, value in zip(declared, values, strict=True)
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(value, 4)
