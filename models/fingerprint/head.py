"""The head of a run: its first sixty samples of utilisation and memory, in three bytes each. What a profile keeps of a GPU
workload to tell what it is, and what fingerprints are trained on: one form for training and for serving.

Two minutes at 2 s say nearly all: on GPUs left out, heads name 0.895 of runs and whole runs 0.919
(`python -m bench fingerprint`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.columns import Array, Field
from models.fingerprint.window import MIB, Board, Floats, Window

SAMPLES = 60
MEMORY_UNIT_BYTES = 4 * MIB
"""Two bytes reach 256 GiB; steps of start-up are told apart from 24 MiB on."""

HEAD_FIELDS: tuple[Field, ...] = (
    Field("gpu_head_start_ms", "int64", (), "first sample of the head of its newest run; 0: none"),
    Field("gpu_head_step_ms", "uint32", (), "time from one sample of the head to the next"),
    Field("gpu_head_owner", "uint32", (), "which instance and GPU the head is of (CRC-32)"),
    Field("gpu_head_utilization", "uint8", (SAMPLES,), "NVML utilisation, 1 + percent; 0: no value"),
    Field("gpu_head_memory", "uint16", (SAMPLES,), "device memory in use, 1 + units of 4 MiB; 0: no value"),
)
"""All empty is zero."""

_MOST = (1 << 16) - 2


def utilization_codes(ratios: Floats) -> NDArray[np.uint8]:
    """NaN becomes 0."""
    return np.where(np.isnan(ratios), 0, np.rint(np.nan_to_num(ratios) * 100) + 1).astype(np.uint8)


def memory_codes(bytes_used: Floats) -> NDArray[np.uint16]:
    """NaN becomes 0; what is over 256 GiB counts as that."""
    units = np.minimum(np.rint(np.nan_to_num(bytes_used) / MEMORY_UNIT_BYTES), _MOST)
    return np.where(np.isnan(bytes_used), 0, units + 1).astype(np.uint16)


def window_of(head: Mapping[str, Array], row: int, board: Board) -> Window | None:
    """One row of HEAD_FIELDS as a window, up to its newest sample; None where there is none."""
    utilization, memory = head["gpu_head_utilization"][row], head["gpu_head_memory"][row]
    filled = np.flatnonzero((utilization > 0) | (memory > 0))
    if not len(filled) or not head["gpu_head_step_ms"][row]:
        return None
    n = int(filled[-1]) + 1
    signals = {
        "gpu_utilization_ratio": np.where(utilization[:n] > 0, (utilization[:n] - 1.0) / 100, np.nan),
        "framebuffer_used_bytes": np.where(memory[:n] > 0, (memory[:n] - 1.0) * MEMORY_UNIT_BYTES, np.nan),
    }
    told = {name: values for name, values in signals.items() if not np.isnan(values).all()}
    return Window(told, int(head["gpu_head_step_ms"][row]) / 1000, board)


def head_of(window: Window) -> Window | None:
    """A window as a profile would have kept it."""
    n, blank = min(len(window), SAMPLES), np.full(len(window), np.nan)
    head = {
        "gpu_head_step_ms": np.array([round(window.interval_s * 1000)]),
        "gpu_head_utilization": utilization_codes(window.signals.get("gpu_utilization_ratio", blank)[None, :n]),
        "gpu_head_memory": memory_codes(window.signals.get("framebuffer_used_bytes", blank)[None, :n]),
    }
    return window_of(head, 0, window.board)
