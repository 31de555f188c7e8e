"""Starts of a service's instances: the first five to ten minutes of each are kept apart from its steady use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.peak16 import from_peak16
from models.profile import CPU
from tests.profiler.telemetry import DAY, HOUR, MINUTE, Row, message, of, profile


def seen(rows: Sequence[Row], each: bool = True) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and steady peaks of CPU by column; each row in a message of its own, or all in one."""
    groups = [[row] for row in rows] if each else [list(rows)]
    found = of(profile([message(group, "n1", i + 1) for i, group in enumerate(groups)]).profiles, "web")
    return from_peak16(found["run_start_peak"])[CPU], from_peak16(found["run_peak"])[CPU]


def steady(instance: str, first: int, last: int, cores: float = 1.0) -> list[Row]:
    """A row a minute."""
    return [Row("web", minute * MINUTE, cores, instance=instance) for minute in range(first, last)]


def test_a_restart_beside_a_busy_instance_is_told_apart() -> None:
    """One instance uses 2 cores all the time. Another begins at minute 31 with 8 cores until minute 36, then uses 1."""
    rows = [
        *steady("old", 0, 31, 2.0),
        *[
            row
            for at in range(31, 60)
            for row in (*steady("old", at, at + 1, 2.0), *steady("new", at, at + 1, 8.0 if at < 36 else 1.0))
        ],
    ]
    for each in (True, False):
        start, later = seen(rows, each)
        assert (start[0], later[0]) == (8.0, 2.0)


def test_a_start_ends_within_ten_minutes() -> None:
    """First seen in minutes 30 to 34 of the clock: minute 39 still belongs to the start, minute 40 does not."""
    rows = [*steady("old", 0, 30), Row("web", 33 * MINUTE, 1.0, instance="new")]
    for minute, expected in ((39, (5.0, 1.0)), (40, (1.0, 5.0))):
        start, later = seen([*rows, Row("web", minute * MINUTE, 5.0, instance="new")])
        assert (start[0], later[0]) == expected


def test_an_instance_of_yesterday_has_not_begun_anew() -> None:
    """Rows every half an hour for three days: 1 core, and 4 on the third. Only the first ten minutes were a start."""
    rows = [Row("web", at, 4.0 if at >= 2 * DAY else 1.0) for at in range(0, 3 * DAY, HOUR // 2)]
    start, later = seen(rows)
    assert (start.max(), later.max()) == (1.0, 4.0)


def test_a_code_that_was_not_seen_for_a_day_is_free_again() -> None:
    """Each day one more instance beside the one that stays, for 80 days: there are 64 codes, but starts of 3 cores are
    still seen in every column of two days."""
    rows = []
    for day in range(80):
        for at in range(24):
            rows += [Row("web", day * DAY + at * HOUR, 1.0, instance="stays")]
        rows += [Row("web", day * DAY + 23 * HOUR + MINUTE, 3.0, instance=f"day-{day}")]
    start, _ = seen(rows)
    assert np.count_nonzero(start == 3.0) >= 15


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 55), st.floats(0.1, 9)), min_size=1, max_size=40))
def test_nothing_is_lost_between_start_and_steady(said: list[tuple[str, int, float]]) -> None:
    """Whatever instances begin when: the higher of both peaks is the highest value, rounded up by 1/128 at most."""
    rows = [
        Row("web", minute * MINUTE, cores, instance=instance)
        for instance, minute, cores in sorted(said, key=lambda s: s[1])
    ]
    start, later = seen(rows, each=False)
    highest = max(cores for _, _, cores in said)
    assert highest <= max(start.max(), later.max()) <= highest * (1 + 1 / 128)
