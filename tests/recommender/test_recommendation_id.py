"""Ids of recommendations."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.recommendation_id import computed_ms_of, recommendation_id, workload_key


def test_an_id_is_the_same_for_ever() -> None:
    """BLAKE2b with 8 bytes of the workload id, then 1,700,000,000,000 ms in hexadecimal: other programs can make it."""
    assert recommendation_id("prod/shop/Deployment/cart/web", 1_700_000_000_000) == "rec-ee88515182868e24-18bcfe56800"


@given(st.text(max_size=60), st.integers(0, 2**62))
def test_an_id_tells_its_time_and_fits_a_label(workload: str, computed_ms: int) -> None:
    """At most 63 characters, letters, digits and dashes: a Kubernetes label value; it begins with the workload's key."""
    made = recommendation_id(workload, computed_ms)
    assert computed_ms_of(made) == computed_ms
    assert made.startswith(workload_key(workload) + "-")
    assert re.fullmatch(r"[a-z0-9-]{1,63}", made)


@pytest.mark.parametrize("text", ["", "rec-", "rec-12-ff", "job-9b7d5e7a1f5a0d1c-ff", "rec-9b7d5e7a1f5a0d1c-"])
def test_what_is_no_id_is_refused(text: str) -> None:
    """The error shows what one looks like."""
    with pytest.raises(ValueError, match="rec-<16 hex digits>"):
        computed_ms_of(text)
