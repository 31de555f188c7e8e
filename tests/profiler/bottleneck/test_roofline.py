"""The roofline: shares of peak and the ridge point say the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bottleneck import Bottleneck
from profiler.bottleneck.position import position
from profiler.bottleneck.roofline import compute_bound, shares
from tests.profiler.bottleneck.windows import H100, gpu

rates = st.floats(1e3, 1e13)


@given(rates, rates, rates)
def test_the_nearer_ceiling_is_the_side_of_the_ridge(single: float, double: float, traffic: float) -> None:
    """flop/s over peak >= bytes/s over bandwidth for one unit, exactly where flop/byte >= peak/bandwidth for one."""
    peaks, bandwidth = np.array([30e12, 0.5e12]), 760e9
    compute, memory = shares(np.array([[single, double]]), peaks, np.array([traffic]), np.array([bandwidth]))
    above_ridge = max(single / traffic * bandwidth / 30e12, double / traffic * bandwidth / 0.5e12)
    if abs(above_ridge - 1) > 1e-9:
        assert compute_bound(compute, memory)[0] == (above_ridge > 1)


def position_of(model: str, **active: float) -> list[float]:
    """Intensity lowest and highest, ridge point."""
    window = gpu({f"{name}_active_ratio": value for name, value in active.items()})
    return position(window, [model], np.zeros(1, np.intp))[:, 0].tolist()


def test_intensity_is_a_range_because_the_pipe_does_not_tell_the_type() -> None:
    """H100, half of both active: TF32 494e12 / 3350e9 = 147 FLOP/byte, FP8 1979e12 / 3350e9 = 591; BF16's ridge is 295."""
    assert position_of(H100, tensor=0.5, dram=0.5) == pytest.approx([147.5, 590.7, 295.2], rel=1e-3)


def test_a_vector_pipe_stands_on_its_own_roofline_and_not_on_the_tensor_pipes() -> None:
    """H100, FP32 nine tenths active beside a fifth of DRAM: 0.9 * 67e12 / (0.2 * 3350e9) = 90 FLOP/byte if every instruction
    is two operations, 45 if none is; its ridge is 67e12 / 3350e9 = 20. On the tensor pipe it would be 660 and more. FP64 has
    the same peak here; FP16 twice as much."""
    assert position_of(H100, fp32=0.9, dram=0.2) == pytest.approx([45.0, 90.0, 20.0], rel=1e-3)
    assert position_of(H100, fp64=0.9, fp32=0.0, dram=0.2) == pytest.approx([45.0, 90.0, 20.0], rel=1e-3)
    assert position_of(H100, fp16=0.9, dram=0.2) == pytest.approx([90.0, 180.0, 40.0], rel=1e-3)


def test_pipes_that_work_together_add_up_and_the_busiest_names_the_ridge() -> None:
    """0.25 of FP32 beside half of the tensor pipe, DRAM at one half: 67e12 / 4 / 1675e9 = 10 FLOP/byte more at most."""
    assert position_of(H100, tensor=0.5, fp32=0.25, dram=0.5) == pytest.approx([152.5, 600.7, 295.2], rel=1e-3)


@pytest.mark.parametrize(
    ("model", "active"),
    [
        (H100, {"tensor": 0.5}),
        (H100, {"tensor": 0.5, "dram": 0.0}),
        (H100, {"dram": 0.5}),
        (H100, {"tensor": 0.0, "dram": 0.5}),
        ("Unheard Of 9000", {"tensor": 0.5, "dram": 0.5}),
    ],
)
def test_a_position_that_cannot_be_told_is_none(model: str, active: dict[str, float]) -> None:
    """Without DRAM activity, without a pipe that works, and without the board's peaks."""
    assert np.isnan(position_of(model, **active)).any()


def test_io_is_one_class_with_kinds() -> None:
    """Four codes, one label."""
    kinds = {b.io_kind for b in Bottleneck if b.label == "io"}
    assert kinds == {"host-transfer", "gpu-link", "network", "storage"}
    assert Bottleneck.MEMORY_BANDWIDTH.label == "memory-bandwidth"
    assert Bottleneck.LATENCY.io_kind is None
