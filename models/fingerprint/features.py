"""The one feature function: windows in, a matrix out, for training and for serving alike.

A signal that is missing leaves its features NaN; nothing is filled in. Ratios, amounts in seconds, bytes and operations, so
that a workload looks alike on GPUs that differ. Levels of memory during start-up are absolute: context, weights and data
take the same bytes on every GPU, while the steady level only tells how large the batch was chosen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.fingerprint.activity import activity_features
from models.fingerprint.levels import level_features
from models.fingerprint.memory import memory_features, startup_features
from models.fingerprint.window import Floats, Phases, Window

VERSION = 1
"""Of the features; a model says which it was trained on. Raise it with any change of a feature."""


def features(windows: Sequence[Window]) -> Floats:
    """[len(windows), len(NAMES)], NaN where a signal is missing or the window is too short."""
    if not windows:
        return np.empty((0, len(NAMES)))
    return np.array([tuple(_describe(window).values()) for window in windows], dtype=np.float64)


def _describe(window: Window) -> dict[str, float]:
    memory = window.bridged("framebuffer_used_bytes")
    activity = window.bridged("gpu_utilization_ratio")
    phases = Phases.of(memory, len(window))
    return {
        **_lengths(window, phases),
        **_work(window, activity, phases),
        **activity_features(activity, phases),
        **startup_features(memory, activity, phases, window.interval_s),
        **memory_features(memory, window.board.memory_bytes, phases),
        **level_features(window),
    }


def _lengths(window: Window, phases: Phases) -> dict[str, float]:
    """Logarithms of seconds, and shares. How long start-up takes against the run tells scripts apart."""
    n, step = len(window), window.interval_s
    steady, loading = phases.stop - phases.start, phases.start - phases.context
    return {
        "length_log_s": _log(n * step),
        "steady_log_s": _log(steady * step),
        "before_steady_log_s": _log(phases.start * step + 1),
        "before_context_log_s": _log(phases.context * step + 1),
        "loading_log_s": _log(loading * step + 1),
        "after_log_s": _log((n - phases.stop) * step + 1),
        "loading_share": loading / max(n, 1),
        "steady_share": steady / max(n, 1),
        "steady_over_before_log": _log((steady + 1) / (phases.start + 1)),
        "loading_over_waiting_log": _log((loading + 1) / (phases.context + 1)),
    }


def _work(window: Window, activity: Floats | None, phases: Phases) -> dict[str, float]:
    """Logarithms of operations that the boards could have done in the time they were held, and were busy."""
    board, held = window.board, (phases.stop - phases.start) * window.interval_s
    busy = np.nan if activity is None else (activity[phases.start : phases.stop].sum() + 0.01) * window.interval_s
    return {
        "held_half_log_flop": _log(held * board.half_flops * board.gpus),
        "held_single_log_flop": _log(held * board.single_flops * board.gpus),
        "busy_half_log_flop": _log(busy * board.half_flops),
        "busy_single_log_flop": _log(busy * board.single_flops),
    }


def _log(value: float) -> float:
    return float(np.log(value)) if value > 0 else np.nan


NAMES: tuple[str, ...] = tuple(_describe(Window({}, 1.0)))
"""Of the columns, in their order."""
