"""Order and lateness over a batch are what a loop over its messages would find."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from profiler.pieces import LATE_MS, epochs, late, newest_before

items = st.lists(st.tuples(st.integers(0, 4), st.integers(-(1 << 40), 1 << 42)), min_size=1, max_size=30)


@given(items, st.lists(st.integers(-(1 << 40), 1 << 42), min_size=5, max_size=5))
def test_newest_before_is_a_running_maximum_per_slot(pairs: list[tuple[int, int]], initial: list[int]) -> None:
    """For each item: the largest of the slot's first value and of its earlier items."""
    slot, value = (np.array(column) for column in zip(*pairs, strict=True))
    found = newest_before(slot, value, np.array(initial)[slot])
    newest = dict(enumerate(initial))
    for (s, v), before in zip(pairs, found.tolist(), strict=True):
        assert before == newest[s]
        newest[s] = max(newest[s], v)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30))
def test_epochs_count_the_new_hours_of_a_slot(pairs: list[tuple[int, bool]]) -> None:
    """Each item's own new hour counts already."""
    slot, advances = (np.array(column) for column in zip(*pairs, strict=True))
    seen = dict.fromkeys(range(5), 0)
    for (s, new), epoch in zip(pairs, epochs(slot, advances).tolist(), strict=True):
        seen[s] += new
        assert epoch == seen[s]


messages = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5 * LATE_MS)), min_size=1, max_size=6), min_size=1, max_size=6
)


@given(messages, st.lists(st.integers(0, 3 * LATE_MS), min_size=3, max_size=3))
def test_late_is_measured_against_earlier_messages(sent: list[list[tuple[int, int]]], seen: list[int]) -> None:
    """A row is late when it lies over an hour before what earlier messages, and the state, brought of its workload."""
    table = sorted((m, slot, at) for m, rows in enumerate(sent) for slot, at in rows)
    columns = [np.array(column) for column in zip(*table, strict=True)]
    expected, newest = [], list(seen)
    for number in range(len(sent)):
        mine = [(slot, at) for m, slot, at in table if m == number]
        expected += [at < newest[slot] - LATE_MS for slot, at in mine]
        for slot, at in mine:
            newest[slot] = max(newest[slot], at)
    assert late(columns[0], columns[1], columns[2], np.array(seen)).tolist() == expected
