"""What the catalogue knows of a GPU, as features use it."""

from __future__ import annotations

import numpy as np

from models.fingerprint.window import Board
from models.hardware.discovery import find_gpu


def board_of(gpu_model: str, sliced: bool = False) -> Board:
    """One GPU of this name, NVML's or the catalogue's. Nothing is known of a slice, nor of what the catalogue lacks."""
    gpu = None if sliced or not gpu_model else find_gpu(gpu_model)
    if gpu is None:
        return Board()
    return Board(float(gpu.memory_bytes), gpu.bf16_flops or np.nan, gpu.fp32_flops or np.nan)
