"""Counters, then physics, then what was taught."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bottleneck import SURE, Bottleneck, Method
from models.bottleneck_model.features import FEATURES
from models.bottleneck_model.model import Inferred, ModelError
from profiler.gpu_windows import GpuWindows
from profiler.judge import Infer, judge, nvml_features
from profiler.taught import read_model
from tests.profiler.bottleneck.windows import boards, gpu

BY_COUNTERS = {"gpu_utilization_ratio": 1.0, "dram_active_ratio": 0.78, "tensor_active_ratio": 0.0}
BY_PHYSICS = {"gpu_utilization_ratio": 0.0, "pcie_receive_bytes_per_s": 0.0}
OPEN = {"gpu_utilization_ratio": 1.0, "memory_copy_utilization_ratio": 0.3, "power_watts": 640.0}


def windows(*signals: dict[str, float]) -> GpuWindows:
    mean, n = gpu(*signals), len(signals)
    zero = np.zeros(n, dtype=np.intp)
    return GpuWindows(
        zero,
        zero,
        zero,
        zero,
        zero,
        mean,
        np.zeros_like(mean),
        ~np.isnan(mean) * 10.0,
        mean[0],
        zero,
        zero,
        zero,
        boards(n),
    )


def says(answer: Bottleneck, sure: float) -> Infer:
    """A model that gives every window one answer."""

    def infer(features: NDArray[np.float32]) -> Inferred:
        assert features.shape[1] == len(FEATURES)
        return Inferred(np.full(len(features), answer, np.uint8), np.full(len(features), sure))

    return infer


def test_the_model_is_asked_only_where_counters_and_physics_are_silent() -> None:
    """Of three windows the third alone is open; a model that is sure decides it."""
    found = judge(windows(BY_COUNTERS, BY_PHYSICS, OPEN), says(Bottleneck.COMPUTE, 0.9))
    assert found.bottleneck.tolist() == [Bottleneck.MEMORY_BANDWIDTH, Bottleneck.IDLE, Bottleneck.COMPUTE]
    assert found.method.tolist() == [Method.COUNTERS, Method.PHYSICS, Method.LEARNED]
    assert found.confidence[2] == 0.9


def test_a_model_that_is_not_sure_changes_nothing() -> None:
    """Just under four to one: still no answer, and none without a model."""
    for infer in (says(Bottleneck.COMPUTE, SURE - 0.01), None):
        found = judge(windows(OPEN), infer)
        assert found.bottleneck.tolist() == [Bottleneck.INSUFFICIENT]
        assert found.method.tolist() == [Method.PHYSICS]


def test_counters_never_reach_the_features() -> None:
    """What teaches must look like what will be asked: with and without counters the features are the same."""
    nvml = OPEN | {"framebuffer_used_bytes": 8e9, "framebuffer_total_bytes": 80e9}
    counters = {"dram_active_ratio": 0.5, "tensor_active_ratio": 0.5, "graphics_engine_active_ratio": 0.7}
    with_counters, without = nvml_features(windows(nvml | counters)), nvml_features(windows(nvml))
    assert np.array_equal(with_counters, without, equal_nan=True)


def test_no_path_is_no_model_and_a_wrong_one_is_said(tmp_path: Path) -> None:
    """The message names the setting, the file and the mend."""
    assert read_model("") is None
    with pytest.raises(ModelError, match=r"profiler\.bottleneck_model .*gone.*sizewise train bottleneck"):
        read_model(str(tmp_path / "gone"))
