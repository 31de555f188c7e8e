"""Rows of telemetry on an even grid: values, gaps and order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.backtest.grid import Grid, Rows

DAY_MS, SLOT_MS = 86_400_000, 300_000
START = 20_000 * DAY_MS


def rows(*values: tuple[str, int, float, float]) -> Rows:
    """(workload, ms after START, cores, bytes)"""
    names, times, cpu, memory = zip(*values, strict=True)
    signals = {"cpu_cores": np.array(cpu), "memory_working_set_bytes": np.array(memory)}
    return Rows(list(names), np.array(times) + START, signals)


def test_cpu_is_the_mean_of_a_slot_and_memory_its_highest() -> None:
    """Two rows in the first slot, in two parts: cores 1 and 3, bytes 5 and 4. A row on the next day makes two days."""
    made = Grid()
    made.add(rows(("a", 0, 1.0, 5.0)))
    made.add(rows(("a", 1000, 3.0, 4.0), ("b", DAY_MS, 7.0, float("nan"))))
    found = made.usages()
    assert found["cpu"].samples[0, 0, 0] == 2.0
    assert found["memory"].samples[0, 0, 0] == 5.0
    assert found["cpu"].samples[1, 1, 0] == 7.0
    assert np.isnan(found["memory"].samples[1]).all()
    assert (found["cpu"].start_s, found["cpu"].blocks) == (START // 1000, 2)
    assert np.isnan(found["cpu"].samples).sum() == 2 * 2 * 288 - 2


def test_the_size_of_a_day_is_its_largest_request() -> None:
    made = Grid()
    signals = {
        "cpu_cores": np.ones(2),
        "cpu_request_cores": np.array([2.0, 4.0]),
        "cpu_limit_cores": np.array([8.0, 8.0]),
    }
    made.add(Rows(["a", "a"], np.array([START, START + SLOT_MS]), signals))
    assert made.usages()["cpu"].provisioned.tolist() == [[4.0]]


def test_nothing_is_nothing() -> None:
    assert Grid().usages() == {}


readings = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.integers(0, 3 * DAY_MS), st.integers(0, 64).map(float), st.integers(0, 9).map(float)
    ),
    min_size=2,
    max_size=40,
)


@given(readings)
def test_parts_and_their_reduction_change_nothing(found: list[tuple[str, int, float, float]]) -> None:
    """All rows at once, or one by one and reduced after each: the same grid. Whole numbers, so that sums are exact."""
    whole = Grid()
    whole.add(rows(*found))
    parts = Grid(reduce_at_rows=0)
    for one in found:
        parts.add(rows(one))
    for resource, usage in whole.usages().items():
        assert np.array_equal(usage.samples, parts.usages()[resource].samples, equal_nan=True)
