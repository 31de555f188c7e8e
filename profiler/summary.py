"""What readers want and the state only implies: means, classes and their evidence. Written when a slab is saved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.bottleneck import Bottleneck
from models.hardware.discovery import name_of
from models.profile import GPU_SIGNALS_KEPT
from models.signals import GPU_SIGNALS
from profiler import signals
from profiler.bottleneck import cpu
from profiler.bottleneck.boards import Boards, Floats
from profiler.bottleneck.evidence import SIGNAL, evidence
from profiler.bottleneck.position import position
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
    """The class with most time. Where most of the time has none, the rest does not speak for it: idleness is easy to tell
    without counters, and what a GPU does while it is busy is not."""
    seconds = profiles["gpu_class_seconds"][slots]
    total = seconds.sum(axis=1)
    judged = np.where(np.arange(seconds.shape[1]) == Bottleneck.INSUFFICIENT, 0.0, seconds)
    open_ = seconds[:, Bottleneck.INSUFFICIENT] > total / 2
    profiles["gpu_bottleneck"][slots] = np.where(open_, Bottleneck.INSUFFICIENT, judged.argmax(axis=1))
    profiles["gpu_bottleneck_confidence"][slots] = _ratio(profiles["gpu_confidence_seconds"][slots], total)
    mean = np.full((len(GPU_SIGNALS), len(total)), np.nan)
    mean[[SIGNAL[name] for name in GPU_SIGNALS_KEPT]] = _ratio(
        profiles["gpu_signal_sum"][slots], profiles["gpu_signal_weight"][slots]
    ).T
    models, codes = _models(profiles, slots)
    profiles["gpu_evidence"][slots] = evidence(mean, Boards.of(models, codes, profiles["gpu_sliced"][slots] == 0)).T
    profiles["gpu_roofline"][slots] = position(mean, models, codes).T


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def _models(profiles: Profiles, slots: slice) -> tuple[list[str], NDArray[np.intp]]:
    """Names in the catalogue, and which of them each row has."""
    codes, index = np.unique(profiles["gpu_model"][slots], return_inverse=True)
    return [name_of(int(code)) for code in codes], index
