"""Peaks in two bytes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.peak16 import from_peak16, to_peak16

values = st.floats(1e-30, 1e30)


@given(st.lists(values, min_size=1))
def test_a_code_is_never_below_and_at_most_a_128th_above(found: list[float]) -> None:
    """Seven bits of mantissa, rounded up."""
    exact = np.array(found)
    kept = from_peak16(to_peak16(exact))
    assert (kept >= exact).all()
    assert (kept <= exact * (1 + 1 / 127)).all()


@given(values, values)
def test_codes_sort_as_values_do(a: float, b: float) -> None:
    """So a maximum of codes needs no decoding."""
    low, high = sorted((a, b))
    codes = to_peak16(np.array([low, high]))
    assert codes[0] <= codes[1]


def test_nothing_is_zero() -> None:
    """Missing and 0 have code 0; a code of an exact value gives it back."""
    assert to_peak16(np.array([np.nan, 0.0])).tolist() == [0, 0]
    assert from_peak16(to_peak16(np.array([0.0, 1.0, 80 * 2.0**30]))).tolist() == [0.0, 1.0, 80 * 2.0**30]
