"""Counters into growth."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from collector.rates import grown, growth

QUARTER = 1 << 62


@given(st.lists(st.integers(0, QUARTER), min_size=1), st.integers(0, 1 << 63))
def test_growth_adds_up_to_what_was_counted(steps: list[int], start: int) -> None:
    """A counter that only grows, and wraps at 2**64: the growth between reads is what was added."""
    values = [start]
    for step in steps:
        values.append((values[-1] + step) % (1 << 64))
    assert [growth(a, b) for a, b in pairwise(values)] == steps


@given(st.lists(st.tuples(st.integers(0, 10**15), st.booleans()), min_size=1))
def test_a_reset_costs_only_what_came_between_the_last_read_and_the_reset(steps: list[tuple[int, bool]]) -> None:
    """Each step adds, or starts the counter anew and then adds: either way what is seen since is counted, once."""
    value, total, counted = 0, 0, 0
    for step, reset in steps:
        before = value
        value = step if reset else value + step
        total += step
        counted += growth(before, value)
        if reset and value >= before:  # a reset that overtakes the old value cannot be told from growth
            total -= before
    assert counted == total


@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1), st.sampled_from([32, 64]))
def test_growth_is_never_negative(before: int, now: int, bits: int) -> None:
    assert growth(before % (1 << bits), now % (1 << bits), bits) >= 0


def test_a_32_bit_counter_wraps_at_4_gib() -> None:
    """From 2**32 - 10 to 5 are 15; from 2**31 to 5 is a reset: 5."""
    assert growth((1 << 32) - 10, 5, bits=32) == 15
    assert growth(1 << 31, 5, bits=32) == 5


def test_the_first_read_gives_no_growth() -> None:
    """Where either value is missing there is nothing to compare."""
    assert grown([None, 5, 5], [7, None, 9]) == [None, None, 4]
