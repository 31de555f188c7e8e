"""GPU and CPU windows for tests: named signals into the columns that the rules read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.signals import CPU_SIGNALS, GPU_SIGNALS, Signal
from profiler.bottleneck.boards import Boards, Floats
from profiler.bottleneck.gpu import Verdicts, classify

H100 = "NVIDIA H100 80GB HBM3"


def columns(table: tuple[Signal, ...], windows: Sequence[dict[str, float]]) -> Floats:
    """[S, n]; signals that a window lacks are NaN."""
    return np.array([[window.get(signal.name, np.nan) for window in windows] for signal in table]).reshape(
        len(table), -1
    )


def cpu(*windows: dict[str, float]) -> Floats:
    return columns(CPU_SIGNALS, windows)


def gpu(*windows: dict[str, float]) -> Floats:
    return columns(GPU_SIGNALS, windows)


def boards(n: int, model: str = H100, whole: bool = True) -> Boards:
    return Boards.of([model], np.zeros(n, dtype=np.intp), np.full(n, whole))


def judge(*windows: dict[str, float], model: str = H100, whole: bool = True) -> Verdicts:
    return classify(gpu(*windows), boards(len(windows), model, whole))
