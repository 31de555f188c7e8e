"""What was asked for and recommended on each day."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.columns import Columns
from models.histogram import from_log_code
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.sizing.past_days import with_today
from tests.recommender.sizing.profiles import DAY_MS


def columns(arrays: dict[str, np.ndarray], workloads: list[str]) -> Columns:
    return Columns(RECOMMENDATION_FIELDS, workloads, arrays)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=20))
def test_a_ring_holds_the_newest_32_days_and_forgets_those_between(steps: list[int]) -> None:
    """Days with gaps of all lengths: what is read back by day is what was written, and days in a gap hold nothing."""
    previous, day, written = None, 100, {}
    for step in steps:
        day += step
        value = np.array([[1.0 + day, 2.0 + day]])
        previous = columns(with_today(previous, ["a"], day * DAY_MS, value, 2 * value), ["a"])
        written[day] = 2.0 * (1.0 + day)
    assert previous is not None
    for past in range(day - 31, day + 1):
        found = from_log_code(previous["target_days"])[0, 0, past % 32]
        expected = written.get(past, float("nan"))
        assert found == pytest.approx(expected, rel=4e-4, nan_ok=True)


def test_days_follow_their_workload() -> None:
    """A second workload joins in front: the first one's days move with it."""
    one = columns(with_today(None, ["a"], 100 * DAY_MS, np.array([[1.0, 1.0]]), np.array([[4.0, 4.0]])), ["a"])
    two = with_today(one, ["b", "a"], 101 * DAY_MS, np.full((2, 2), 1.0), np.full((2, 2), 8.0))
    target = from_log_code(two["target_days"])[:, 0]
    assert target[1, [100 % 32, 101 % 32]] == pytest.approx([4.0, 8.0], rel=4e-4)
    assert np.isnan(target[0, 100 % 32])
