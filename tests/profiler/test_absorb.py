"""A message is the unit of arithmetic: grouping, restarts and neighbours change no bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.histogram import from_log_code
from models.profile import CPU, MEMORY, RESOURCES
from models.signals import CPU_SIGNALS
from profiler.settings import ProfilerSettings
from stream.contract import Message
from tests.profiler.telemetry import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    T0,
    Row,
    message,
    of,
    partition,
    profile,
    record,
    state,
)

steps = st.sampled_from([0, SECOND, 10 * SECOND, MINUTE, 4 * MINUTE, 50 * MINUTE, HOUR, DAY, 3 * DAY, 33 * DAY])
jitter = st.integers(-90 * MINUTE, 20 * MINUTE)
maybe = st.none() | st.floats(0, 50)
rows = st.builds(
    lambda name, at, cpu, memory, interval, oom, psi, instance: Row(
        name, at, cpu, None if memory is None else memory * 1e9, interval, oom, psi, instance
    ),
    st.sampled_from("abc"),
    jitter,
    maybe,
    maybe,
    st.sampled_from([SECOND, 15 * SECOND, 777]),
    st.sampled_from([None, 0.0, 0.0, 1.0, 2.0]),
    st.just({}) | st.builds(lambda v: {"cpu_pressure_ratio": v}, st.floats(0, 1)),
    st.sampled_from(["", "a-1", "a-2", "a-3"]),
)
flushes = st.lists(st.tuples(steps, st.lists(rows, min_size=1, max_size=12)), min_size=1, max_size=12)


def log_of(flushes: list[tuple[int, list[Row]]]) -> list[Message]:
    """Messages whose clock moves on by the steps; rows lie around it."""
    sent, clock = [], 3 * HOUR
    for number, (step, around) in enumerate(flushes):
        clock += step
        moved = [replace(row, at_ms=clock + row.at_ms) for row in around]
        sent.append(message(moved, f"n{number % 3}", number + 1))
    return sent


@settings(max_examples=50, deadline=None)
@given(flushes, st.lists(st.booleans(), min_size=12, max_size=12))
def test_grouping_and_restarts_change_no_bit(flushes: list[tuple[int, list[Row]]], cuts: list[bool]) -> None:
    """All in one batch, one by one, in random groups, and saved and restored between groups: four times the same."""
    sent = log_of(flushes)
    together = profile(sent)
    alone, grouped, restored = (partition() for _ in range(3))
    saved: dict[str, Message] = {}
    for offset, one in enumerate(sent):
        for taken in (alone, grouped, restored):
            taken.take(record(one, offset), NOW)
        alone.settle()
        if cuts[offset]:
            grouped.settle()
            saved.update((m.key, m) for m in restored.checkpoint(offset + 1, NOW))
            restored = partition(saved=saved.values())
    for taken in (together, alone, grouped, restored):  # a checkpoint frees what is long gone
        taken.checkpoint(len(sent) + 1, NOW)
    expected = state(together)
    assert state(alone) == expected
    assert state(grouped) == expected
    assert state(restored) == expected


@settings(max_examples=30, deadline=None)
@given(flushes)
def test_a_workload_does_not_feel_its_neighbours(flushes: list[tuple[int, list[Row]]]) -> None:
    """The profile of `a` is the same when the rows of all others are taken out of every message."""
    sent = log_of(flushes)
    alone = log_of([(step, [r for r in around if r.name == "a"] or [Row("z", 0, 1.0)]) for step, around in flushes])
    mine = "prod/shop/Deployment/a/main"
    assert state(profile(alone)).get(mine) == state(profile(sent)).get(mine)


def test_what_one_message_says_is_added_up() -> None:
    """Three rows of two workloads, by hand: counts, cover, peaks, means and last values."""
    sent = message(
        [
            Row("web", 2 * SECOND, 0.5, 3e8, 1000, signals={"cpu_limit_cores": 2.0}),
            Row("web", 3 * SECOND, 1.5, 1e8, 1000),
            Row("db", 3 * SECOND, 4.0, None, 500),
        ],
        "n1",
        1,
    )
    taken = profile([sent])
    web, db = of(taken.profiles, "web"), of(taken.profiles, "db")
    names = [signal.name for signal in CPU_SIGNALS]
    cpu, limit, memory = (names.index(n) for n in ("cpu_cores", "cpu_limit_cores", "memory_working_set_bytes"))
    assert (web["rows"], web["covered_ms"]) == (2, 2000)
    assert (web["first_seen_ms"], web["last_seen_ms"]) == (T0 + SECOND, T0 + 3 * SECOND)
    assert web["signal_count"][[cpu, limit, memory]].tolist() == [2, 1, 2]
    assert web["signal_sum"][cpu] / web["signal_weight"][cpu] == pytest.approx((0.5 + 1.5) / 2)
    assert web["signal_last"][[cpu, limit, memory]].tolist() == [1.5, 2.0, 1e8]
    assert web["signal_peak"][cpu] == 1.5
    assert web["window_peak"].tolist() == [1.5, 3e8]
    assert web["daily_peak"][:, web["newest_day"] % 32].tolist() == [1.5, 3e8]
    assert web["hour_sum"].tolist() == [2.0, 4e8]
    assert (db["signal_count"][memory], np.isnan(db["signal_last"][memory])) == (0, True)
    assert np.isnan(db["window_peak"][MEMORY])
    assert db["histogram"][MEMORY].sum() == 0


def test_a_missing_signal_stays_missing() -> None:
    """Rows without memory leave every memory field as it was: no zero enters a histogram, peak or mean."""
    taken = profile([message([Row("web", hour * HOUR, 1.0) for hour in range(60)], "n1", 1)])
    found = of(taken.profiles, "web")
    assert not found["histogram"][MEMORY].any()
    assert not found["day_histogram"][MEMORY].any()
    for name in ("window_peak", "daily_peak", "daily_p95", "hour_max"):
        assert np.isnan(found[name][MEMORY]).all(), name
    for name in ("hour_mean", "hour_peak"):
        assert not found[name][MEMORY].any(), name
    assert found["trend"][MEMORY].tolist() == [0, 0, 0, 0, 0]


def test_the_hour_of_the_week_is_utc_and_begins_on_monday() -> None:
    """T0 is a Wednesday: its 10 o'clock is hour 2 * 24 + 10. The same hour a week later counts half of the mean."""
    at_ten = [
        message([Row("web", 10 * HOUR + week * 7 * DAY + MINUTE, cpu)], "n1", week + 1)
        for week, cpu in enumerate((1.0, 3.0))
    ]
    after = message([Row("web", 7 * DAY + 11 * HOUR, 9.0)], "n1", 3)
    found = of(profile([*at_ten, after]).profiles, "web")
    assert from_log_code(found["hour_mean"][CPU])[58] == pytest.approx((1.0 + 3.0) / 2, rel=4e-4)
    assert from_log_code(found["hour_peak"][CPU])[58] == pytest.approx(3.0, rel=4e-4)
    assert np.count_nonzero(found["hour_mean"][CPU]) == 1  # 11 o'clock is not finished


def test_a_peak_of_the_week_falls_slowly() -> None:
    """8 cores in one week and 2 in the next: 0.75 * 8 + 0.25 * 2 = 6.5."""
    sent = [message([Row("web", week * 7 * DAY + MINUTE, cpu)], "n1", week + 1) for week, cpu in enumerate((8.0, 2.0))]
    found = of(profile([*sent, message([Row("web", 8 * DAY, 1.0)], "n1", 3)]).profiles, "web")
    assert from_log_code(found["hour_peak"][CPU])[48] == pytest.approx(6.5, rel=8e-4)


def test_the_trend_is_a_line_that_can_be_read_back() -> None:
    """Memory that grows by 24 MB a day: the slope of the decayed least squares is 24e6 a day, whatever the weights."""
    sent = [
        message([Row("web", hour * HOUR + 30 * MINUTE, None, 1e9 + hour * 1e6)], "n1", hour + 1) for hour in range(73)
    ]
    weight, t, tt, y, ty = of(profile(sent).profiles, "web")["trend"][MEMORY]
    assert (weight * ty - t * y) / (weight * tt - t * t) == pytest.approx(24e6, rel=1e-6)
    assert weight == pytest.approx(sum(2 ** (-age / 168) for age in range(1, 73)), rel=1e-3)


def test_an_oom_kill_keeps_the_peak_before_it() -> None:
    """900 MB, then the kill's row with the 50 MB of the new process: the censored peak is 900 MB, and 999 MB of later
    rows, even of the same batch, do not belong to it."""
    sent = [
        message([Row("web", MINUTE, 0.1, 9e8)], "n1", 1),
        message([Row("web", 2 * MINUTE, 0.1, 5e7, oom=1.0)], "n1", 2),
        message([Row("web", 3 * MINUTE, 0.1, 9.99e8, oom=0.0)], "n1", 3),
    ]
    found = of(profile(sent).profiles, "web")
    assert (found["oom_kills"], found["last_oom_ms"]) == (1, T0 + 2 * MINUTE)
    assert found["oom_peak"] == np.float32(9e8)


def test_peaks_are_never_rounded_down() -> None:
    """68,719,476,737 B is one above 2^36; the float32 above it is 2^36 + 8192."""
    found = of(profile([message([Row("web", MINUTE, 0.1, 2.0**36 + 1)], "n1", 1)]).profiles, "web")
    assert found["window_peak"][MEMORY] == 2.0**36 + 8192
    assert found["signal_last"][5] == 2.0**36 + 1


def test_a_limit_that_was_taken_away_is_not_reported_for_ever() -> None:
    """A limit is seen at 0:10. At 1:00 the hour that ends has heard it; at 2:00 the hour that ends has not."""
    limit = [signal.name for signal in CPU_SIGNALS].index("cpu_limit_cores")
    sent = [
        message([Row("web", 10 * MINUTE, 1.0, signals={"cpu_limit_cores": 2.0})], "n1", 1),
        message([Row("web", HOUR, 1.0)], "n1", 2),
        message([Row("web", 2 * HOUR, 1.0)], "n1", 3),
    ]
    assert of(profile(sent[:2]).profiles, "web")["signal_last"][limit] == 2.0
    assert np.isnan(of(profile(sent).profiles, "web")["signal_last"][limit])


def test_a_workload_that_comes_back_after_months_begins_anew() -> None:
    """45 days are remembered. The 46th finds nothing of what was before, also when its row was not freed yet."""
    sent = [message([Row("web", 0, 8.0)], "n1", 1), message([Row("web", 46 * DAY, 1.0)], "n1", 2)]
    found = of(profile(sent, ProfilerSettings(forget_after_days=45)).profiles, "web")
    assert (found["rows"], found["signal_peak"][0]) == (1, 1.0)
    assert found["first_seen_ms"] == T0 + 46 * DAY - SECOND
    kept = of(profile(sent, ProfilerSettings(forget_after_days=60)).profiles, "web")
    assert (kept["rows"], kept["signal_peak"][0]) == (2, 8.0)


def test_days_without_rows_are_empty_columns() -> None:
    """Rows on days 0 and 3: days 1 and 2 are missing, not repeated; after 40 days nothing old is left."""
    found = of(profile([message([Row("web", day * DAY, 1.0 + day)], "n1", day + 1) for day in (0, 3)]).profiles, "web")
    last = found["newest_day"]
    peaks = [found["daily_peak"][CPU, (last - ago) % 32] for ago in (3, 2, 1, 0)]
    assert [None if np.isnan(p) else float(p) for p in peaks] == [1.0, None, None, 4.0]
    later = of(profile([message([Row("web", day * DAY, 1.0)], "n1", day + 1) for day in (0, 40)]).profiles, "web")
    assert np.count_nonzero(~np.isnan(later["daily_peak"][CPU])) == 1
    assert len(RESOURCES) == 2
