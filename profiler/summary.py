"""What readers want and the state only implies: means, classes and their evidence. Written when a slab is saved."""

from __future__ import annotations

import numpy as np

from models.bottleneck import Bottleneck
from models.hardware.discovery import name_of
from models.profile import GPU_SIGNALS_KEPT
from models.signals import GPU_SIGNALS
from profiler import signals
from profiler.bottleneck import cpu
from profiler.bottleneck.boards import Boards, Floats
from profiler.bottleneck.evidence import SIGNAL, evidence
from profiler.profiles import Profiles


def write(profiles: Profiles, slots: slice) -> None:
    """Derive the fields of these rows that others imply."""
    signals.write_means(profiles, slots)
    _write_cpu(profiles, slots)
    if profiles["gpu_last_seen_ms"][slots].any():
        _write_gpu(profiles, slots)


def _write_cpu(profiles: Profiles, slots: slice) -> None:
    verdicts = cpu.classify(profiles["signal_mean"][slots].T.astype(np.float64))
    profiles["cpu_bottleneck"][slots] = verdicts.bottleneck
    profiles["cpu_bottleneck_confidence"][slots] = verdicts.confidence


def _write_gpu(profiles: Profiles, slots: slice) -> None:
    """The class with most time. Time without a verdict counts as a class only where there is nothing else."""
    seconds = profiles["gpu_class_seconds"][slots]
    total = seconds.sum(axis=1)
    judged = np.where(np.arange(seconds.shape[1]) == Bottleneck.INSUFFICIENT, 0.0, seconds)
    profiles["gpu_bottleneck"][slots] = judged.argmax(axis=1)
    profiles["gpu_bottleneck_confidence"][slots] = _ratio(profiles["gpu_confidence_seconds"][slots], total)
    mean = np.full((len(GPU_SIGNALS), len(total)), np.nan)
    mean[[SIGNAL[name] for name in GPU_SIGNALS_KEPT]] = _ratio(
        profiles["gpu_signal_sum"][slots], profiles["gpu_signal_weight"][slots]
    ).T
    profiles["gpu_evidence"][slots] = evidence(mean, _boards(profiles, slots)).T


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def _boards(profiles: Profiles, slots: slice) -> Boards:
    codes, index = np.unique(profiles["gpu_model"][slots], return_inverse=True)
    return Boards.of([name_of(int(code)) for code in codes], index, profiles["gpu_sliced"][slots] == 0)
