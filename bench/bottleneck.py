"""How much of the GPU class survives when the profiling counters are taken away. Data: h100-windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import numpy as np

from bench.h100 import Windows, read_windows, without
from bench.report import Cell, Report, require_data
from models.bottleneck import CLASSES, COMPUTE, HOST, MEMORY, SURE, Bottleneck
from models.bottleneck_model import windows as teaching
from models.bottleneck_model.features import features
from models.bottleneck_model.model import ModelCard
from models.bottleneck_model.train import TrainSettings, left_out
from profiler.bottleneck import evidence as evidence_module
from profiler.bottleneck import gpu
from profiler.bottleneck.boards import Floats
from profiler.bottleneck.evidence import PROFILING, SIGNAL, evidence
from profiler.bottleneck.gpu import Codes, Verdicts, classify

_LINES: Sequence[tuple[ModuleType, str, float]] = (
    (gpu, "SATURATED", 0.5),
    (gpu, "SATURATED", 0.7),
    (gpu, "IDLE_BELOW", 0.03),
    (gpu, "IDLE_BELOW", 0.08),
    (gpu, "MEMORY_UTILIZATION_ERROR", 0.0),
    (gpu, "MEMORY_UTILIZATION_ERROR", 0.5),
    (gpu, "MEMORY_POWER", 0.1),
    (gpu, "SURE", 0.9),
    (evidence_module, "PAGEABLE_BYTES_PER_S", 3e9),
    (evidence_module, "PAGEABLE_BYTES_PER_S", 12e9),
    (evidence_module, "IDLE_POWER", 0.1),
    (evidence_module, "AT_LIMIT", 0.92),
)
"""What could as well have been chosen."""
_PCIE = ("pcie_transmit_bytes_per_s", "pcie_receive_bytes_per_s")
_NVLINK = ("nvlink_transmit_bytes_per_s", "nvlink_receive_bytes_per_s")
_LACKING: Mapping[str, tuple[str, ...]] = {
    "NVML alone": PROFILING,
    "NVML, no NVLink": (*PROFILING, *_NVLINK),
    "NVML, no PCIe": (*PROFILING, *_PCIE),
    "NVML, no power": (*PROFILING, "power_watts"),
    "NVML, no memory utilisation": (*PROFILING, "memory_copy_utilization_ratio"),
}


def run(data: Path | None) -> Report:
    windows = read_windows(require_data(data, "h100-windows"))
    truth = classify(windows.mean, windows.boards)
    answers = {name: classify(without(windows.mean, *lacks), windows.boards) for name, lacks in _LACKING.items()}
    nvml = answers["NVML alone"]
    rows = [_workload(name, windows, truth, nvml) for name in sorted(set(windows.workload))]
    rows += [_variant(name, answer.bottleneck, truth.bottleneck) for name, answer in answers.items()]
    peers = {
        "GPU utilisation over 0.5 is compute (peer)": _by_utilization(windows.mean),
        "KempnerPulse lines, counters (peer)": _kempner(windows.mean),
    }
    rows += [_variant(name, codes, truth.bottleneck) for name, codes in peers.items()]
    rows += [_blended(windows, truth), _swayed(windows, truth)]
    rows.append(_learned(windows, truth))
    rows += [_moved(windows, *line) for line in _LINES]
    return Report(
        "GPU class with and without profiling counters, 1,056 windows of H100", _figures(truth, nvml), rows, _NOTES
    )


_NOTES = (
    "Truth is the rule with counters; `NVML alone` is the same rule between the bounds that physics sets. Nothing is fitted, "
    "so no window is scored by what was learned from it. Lines and ceilings stand in models/bottleneck.py.",
    "Busy time, transfers and the power limit are read from the same signals in both, so agreement on them is by "
    "construction; what NVML has to infer is how full the math pipes and the memory are.",
    "same: of all windows; abstained: no class given; wrong: another class. FP32 and FP64 activity were not recorded.",
    "The learned model is calibrated and scored by whole runs. Four runs teach little: three of them know no compute.",
    "Blends: means of two windows of different classes, drawn by chance, judged with and without counters. Swayed: power "
    "and memory utilisation of each window times a factor of their own (log-normal, 0.2), the truth unmoved.",
    "PCIe and NVLink rates were recorded by DCGM; NVML tells them too, and rows without them stand beside it.",
    "The last rows put one line or ceiling elsewhere, with and without counters. MEMORY_UTILIZATION_ERROR is the one number "
    "that these runs were looked at for; 0 is to know nothing of how memory utilisation and DRAM activity relate.",
    "Four runs of 5 minutes of one node, 8 GPUs each: 1,056 windows are far fewer independent observations.",
)


def _figures(truth: Verdicts, nvml: Verdicts) -> dict[str, float]:
    abstained = nvml.bottleneck == Bottleneck.INSUFFICIENT
    same = nvml.bottleneck == truth.bottleneck
    return {"class_agreement": float(np.mean(same | abstained)), "abstained": float(np.mean(abstained))}


def _workload(name: str, windows: Windows, truth: Verdicts, nvml: Verdicts) -> dict[str, Cell]:
    mine = windows.workload == name
    counted = np.bincount(truth.bottleneck[mine], minlength=CLASSES)
    shares = {Bottleneck(code): float(n / mine.sum()) for code, n in enumerate(counted) if n}
    headline = max(shares, key=lambda b: shares[b])
    means = np.nanmean(truth.evidence[:, mine], axis=1)
    return _variant(name, nvml.bottleneck[mine], truth.bottleneck[mine]) | {
        "class with counters": _text(headline),
        "its share": shares[headline],
        "compute": float(means[COMPUTE]),
        "memory": float(means[MEMORY]),
        "host": float(means[HOST]),
    }


def _moved(windows: Windows, module: ModuleType, name: str, value: float) -> dict[str, Cell]:
    """With and without counters once more, one line or ceiling put elsewhere in both."""
    with patch.object(module, name, value):
        truth = classify(windows.mean, windows.boards)
        bare = classify(without(windows.mean, *PROFILING), windows.boards)
    return _variant(f"NVML alone, {name} = {value:g}", bare.bottleneck, truth.bottleneck)


def _blended(windows: Windows, truth: Verdicts) -> dict[str, Cell]:
    """Windows between the classes, where a guess would show."""
    one, other = np.random.default_rng(1).integers(0, len(truth.bottleneck), (2, 5_000))
    differ = truth.bottleneck[one] != truth.bottleneck[other]
    one, other = one[differ], other[differ]
    mixed = (windows.mean[:, one] + windows.mean[:, other]) / 2
    boards = windows.boards.take(one)
    bare = classify(without(mixed, *PROFILING), boards)
    return _variant("NVML alone, blends of two windows", bare.bottleneck, classify(mixed, boards).bottleneck)


def _swayed(windows: Windows, truth: Verdicts) -> dict[str, Cell]:
    """As if sensors were a fifth off: what is inferred from power and memory utilisation, and nothing that both sides read."""
    bare = without(windows.mean, *PROFILING)
    for name in ("power_watts", "memory_copy_utilization_ratio"):
        bare[SIGNAL[name]] *= np.random.default_rng(2).lognormal(0.0, 0.2, bare.shape[1])
    bare[SIGNAL["memory_copy_utilization_ratio"]] = np.minimum(bare[SIGNAL["memory_copy_utilization_ratio"]], 1.0)
    answer = classify(bare, windows.boards)
    return _variant("NVML alone, sensors a fifth off", answer.bottleneck, truth.bottleneck)


def _learned(windows: Windows, truth: Verdicts) -> dict[str, Cell]:
    """The model that a fleet teaches, each run answered by one that never saw it."""
    bare = evidence(without(windows.mean, *PROFILING), windows.boards)
    taught = teaching.Windows(features(bare, windows.mean, windows.spread), truth.bottleneck, windows.run)
    answer = left_out(taught, ModelCard.blank(0, "", ""), TrainSettings(min_workloads=2))
    codes = np.where(answer.confidence >= SURE, answer.bottleneck, Bottleneck.INSUFFICIENT).astype(np.uint8)
    return _variant("learned model alone, its run left out", codes, truth.bottleneck)


def _text(bottleneck: Bottleneck) -> str:
    return f"{bottleneck.label} ({bottleneck.io_kind})" if bottleneck.io_kind else bottleneck.label


def _variant(name: str, codes: Codes, truth: Codes) -> dict[str, Cell]:
    abstained, same = codes == Bottleneck.INSUFFICIENT, codes == truth
    return {
        "what": name,
        "windows": len(codes),
        "same": float(np.mean(same)),
        "abstained": float(np.mean(abstained)),
        "wrong": float(np.mean(~same & ~abstained)),
    }


def _by_utilization(values: Floats) -> Codes:
    """What a dashboard of GPU utilisation suggests."""
    busy = values[SIGNAL["gpu_utilization_ratio"]]
    return np.select([busy < 0.05, busy >= 0.5], [Bottleneck.IDLE, Bottleneck.COMPUTE], Bottleneck.LATENCY).astype(
        np.uint8
    )


def _kempner(values: Floats) -> Codes:
    """KempnerPulse 0.5.0, compute/thresholds.py, the lines alone: with counters, in its order of compute before memory."""
    sm, tensor, dram = (values[SIGNAL[f"{name}_active_ratio"]] for name in ("sm", "tensor", "dram"))
    busy = values[SIGNAL["gpu_utilization_ratio"]]
    pcie = np.max([values[SIGNAL[name]] for name in _PCIE], axis=0)
    copies = (values[SIGNAL["memory_copy_utilization_ratio"]] >= 0.4) | (pcie >= 1e9)
    compute = ((tensor >= 0.15) & (sm >= 0.4)) | (sm >= 0.5)
    return np.select(
        [busy < 0.05, copies & (sm < 0.3), compute, dram >= 0.4],
        [Bottleneck.IDLE, Bottleneck.IO_HOST_TRANSFER, Bottleneck.COMPUTE, Bottleneck.MEMORY_BANDWIDTH],
        Bottleneck.LATENCY,
    ).astype(np.uint8)
