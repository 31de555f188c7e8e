"""The roofline: shares of peak and the ridge point say the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bottleneck import Bottleneck, intensity_flop_per_byte
from models.hardware.discovery import find_gpu
from profiler.bottleneck.roofline import compute_bound, shares

rates = st.floats(1e3, 1e13)


@given(rates, rates, rates)
def test_the_nearer_ceiling_is_the_side_of_the_ridge(single: float, double: float, traffic: float) -> None:
    """flop/s over peak >= bytes/s over bandwidth for one unit, exactly where flop/byte >= peak/bandwidth for one."""
    peaks, bandwidth = np.array([30e12, 0.5e12]), 760e9
    compute, memory = shares(np.array([[single, double]]), peaks, np.array([traffic]), np.array([bandwidth]))
    above_ridge = max(single / traffic * bandwidth / 30e12, double / traffic * bandwidth / 0.5e12)
    if abs(above_ridge - 1) > 1e-9:
        assert compute_bound(compute, memory)[0] == (above_ridge > 1)


def test_intensity_is_a_range_because_the_pipe_does_not_tell_the_type() -> None:
    """H100, half of both active: TF32 494e12 / 3350e9 = 147 FLOP/byte, FP8 1979e12 / 3350e9 = 591."""
    h100 = find_gpu("H100 80GB HBM3")
    assert h100 is not None
    assert intensity_flop_per_byte(h100, 0.5, 0.5) == pytest.approx((147.5, 590.7), rel=1e-3)
    assert intensity_flop_per_byte(h100, 0.5, 0.0) is None


def test_io_is_one_class_with_kinds() -> None:
    """Four codes, one label."""
    kinds = {b.io_kind for b in Bottleneck if b.label == "io"}
    assert kinds == {"host-transfer", "gpu-link", "network", "storage"}
    assert Bottleneck.MEMORY_BANDWIDTH.label == "memory-bandwidth"
    assert Bottleneck.LATENCY.io_kind is None
