"""The class of GPU windows: by counters, else by physics, else by a model that windows with counters have taught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.bottleneck import SURE, Bottleneck, Method
from models.bottleneck_model.features import features
from profiler.bottleneck.evidence import PROFILING, SIGNAL, evidence
from profiler.bottleneck.gpu import Verdicts, classify
from profiler.gpu_windows import Floats, GpuWindows


class Inferred(Protocol):
    """Per window, [n]: the likeliest Bottleneck, and its probability."""

    @property
    def bottleneck(self) -> NDArray[np.uint8]: ...

    @property
    def confidence(self) -> Floats: ...


Infer = Callable[[NDArray[np.float32]], Inferred]
"""models.bottleneck_model.model.BottleneckModel.infer. XGBoost is loaded only where a model is given."""


def judge(windows: GpuWindows, infer: Infer | None = None) -> Verdicts:
    """Verdicts on windows. The model is asked only where physics gives no class though something is known."""
    found = classify(windows.mean, windows.boards)
    if infer is None:
        return found
    open_ = np.flatnonzero((found.bottleneck == Bottleneck.INSUFFICIENT) & (found.method == Method.PHYSICS))
    answer = infer(nvml_features(windows)[open_])
    sure = answer.confidence >= SURE
    bottleneck, confidence, method = found.bottleneck.copy(), found.confidence.copy(), found.method.copy()
    bottleneck[open_[sure]] = answer.bottleneck[sure]
    confidence[open_[sure]] = answer.confidence[sure]
    method[open_[sure]] = Method.LEARNED
    return replace(found, bottleneck=bottleneck, confidence=confidence, method=method)


def nvml_features(windows: GpuWindows) -> NDArray[np.float32]:
    """What the model sees of windows, [n, F]: as if nobody had measured profiling counters."""
    bare = windows.mean.copy()
    bare[[SIGNAL[name] for name in PROFILING]] = np.nan
    return features(evidence(bare, windows.boards), windows.mean, windows.spread)
