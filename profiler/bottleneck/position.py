"""Where work stands on the roofline of its board. A range: the activity of a pipe does not tell what it computed.

An instruction of a vector pipe is one operation, or two when it multiplies and adds; the tensor pipe takes TF32 to FP8.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.hardware.discovery import find_gpu
from models.hardware.gpus import GpuModel
from profiler.bottleneck.boards import Floats
from profiler.bottleneck.evidence import PIPES, SIGNAL

_UNKNOWN = (np.nan,) * 3


def position(values: Floats, models: Sequence[str], codes: NDArray[np.intp]) -> Floats:
    """Arithmetic intensity, lowest and highest, and the ridge point of the busiest pipe, FLOP/byte, [3, n]; NaN: cannot be told.

    values: signals [S, n]; models: names of boards; codes [n]: the board of each."""
    low, high, ridge = (table[codes].T for table in _tables(models))
    active = np.stack([values[SIGNAL[name]] for name in PIPES])
    bytes_ = values[SIGNAL["dram_active_ratio"]] * _bandwidths(models)[codes]
    busiest = np.nan_to_num(active / np.array(list(PIPES.values()))[:, None]).argmax(axis=0)
    known = np.any(active > 0, axis=0) & (bytes_ > 0)
    share = np.where(active > 0, active, 0.0)
    intensities = (np.where(share > 0, share * peaks, 0.0).sum(axis=0) for peaks in (low, high))
    found = np.stack([*(np.divide(flops, bytes_, where=known, out=np.full(len(codes), np.nan)) for flops in intensities),
                      np.take_along_axis(ridge, busiest[None], axis=0)[0]])  # fmt: skip
    return np.where(known, found, np.nan)


def _tables(models: Sequence[str]) -> Floats:
    """Operations/s at full activity, lowest and highest, and ridge point, [3, models, pipes]."""
    known = [find_gpu(name) for name in models]
    return np.moveaxis(np.array([_peaks(gpu) for gpu in known], dtype=np.float64).reshape(-1, len(PIPES), 3), 2, 0)


def _bandwidths(models: Sequence[str]) -> Floats:
    return np.array([np.nan if gpu is None else gpu.memory_bytes_per_s for gpu in map(find_gpu, models)])


def _peaks(gpu: GpuModel | None) -> tuple[tuple[float, ...], ...]:
    """In the order of PIPES: tensor, FP64, FP32, FP16."""
    if gpu is None:
        return (_UNKNOWN,) * len(PIPES)
    tensor = (gpu.tf32_flops or gpu.bf16_flops, gpu.fp8_flops or gpu.bf16_flops, gpu.bf16_flops)
    fp32 = gpu.fp32_flops or np.nan
    vector = [(peak / 2, peak, peak) for peak in (gpu.fp64_flops or np.nan, fp32, 2 * fp32)]
    rows = [tuple(np.nan if peak is None else peak for peak in tensor), *vector]
    return tuple((low, high, peak / gpu.memory_bytes_per_s) for low, high, peak in rows)
