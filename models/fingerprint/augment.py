"""Copies of a window as the same workload might look on another GPU: other speed of loading and of running, another batch.

Without them trees learn the training GPUs' speeds by heart. Of training windows only. Twice the jitter of contexts or of
loading costs 0.01 of accuracy on architectures left out, and twice as many copies as much.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.fingerprint.window import CONTEXT_BYTES, MIB, Floats, Phases, Window

_LOADING_SPEED, _RUNNING_SPEED = 0.25, 0.45
"""Standard deviations of the logarithm of the factor by which a phase takes longer."""
_CONTEXT_MIB = 150.0
"""Contexts and libraries differ by about that much between GPU generations."""
_STEADY_SCALE, _BOARD_SCALE = 0.12, 0.02


def augmented(window: Window, rng: np.random.Generator) -> Window:
    """One copy. Every signal is stretched along the same samples, so that they stay together."""
    memory = window.bridged("framebuffer_used_bytes")
    phases = Phases.of(memory, len(window))
    before = _stretched(phases.start, float(np.exp(rng.normal(0, _LOADING_SPEED))), rng)
    after = _stretched(len(window) - phases.start, float(np.exp(rng.normal(0, _RUNNING_SPEED))), rng)
    taken = np.concatenate([before, phases.start + after])
    signals = {name: values[taken] for name, values in window.signals.items()}
    if memory is not None:
        signals["framebuffer_used_bytes"] = _other_memory(signals["framebuffer_used_bytes"], len(before), rng)
    board = replace(window.board, memory_bytes=window.board.memory_bytes * np.exp(rng.normal(0, _BOARD_SCALE)))
    return replace(window, signals=signals, board=board)


def _stretched(n: int, factor: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices into n samples that make them about `factor` times as many; a rhythm is repeated and not drawn out."""
    wanted = max(round(n * factor), min(n, 1))
    if factor > 1.3:
        return np.arange(wanted) % max(n, 1)
    at = np.linspace(0, n - 1, wanted) + rng.uniform(-0.5, 0.5, wanted)
    return np.sort(np.clip(np.round(at), 0, max(n - 1, 0)).astype(np.intp))


def _other_memory(memory: Floats, start: int, rng: np.random.Generator) -> Floats:
    """Another context in start-up, another batch in the steady part."""
    out = memory.copy()
    loading = out[:start]
    held = loading - np.nanmin(memory) > CONTEXT_BYTES
    loading[held] += rng.normal(0, _CONTEXT_MIB) * MIB
    out[start:] *= np.exp(rng.normal(0, _STEADY_SCALE))
    return np.maximum(out, 0)
