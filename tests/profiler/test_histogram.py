"""The streaming histograms against VPA's, sample by sample."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.histogram import percentile
from models.profile import CPU, HISTOGRAM_UNIT, MEMORY
from tests.profiler.telemetry import DAY, HOUR, MINUTE, T0, Row, message, of, profile
from tests.profiler.vpa import Container

cores = st.floats(0.03125, 60, width=32)
sizes = st.just(0.0) | st.floats(0, 2**36, width=32)
gaps = st.integers(1, 30) | st.sampled_from([HOUR // MINUTE, 23 * 60, 3 * 24 * 60])
series = st.lists(st.tuples(gaps, cores, sizes), min_size=1, max_size=40)


def replay(samples: list[tuple[int, float, float]]) -> tuple[dict[str, np.ndarray], Container]:
    """The same samples, minutes apart, through the profiler (three a message) and through VPA's port."""
    at = np.cumsum([gap * MINUTE for gap, _, _ in samples]).tolist()
    rows = [Row("web", when, cpu, memory) for when, (_, cpu, memory) in zip(at, samples, strict=True)]
    taken = profile([message(rows[i : i + 3], "n1", i + 1) for i in range(0, len(rows), 3)])
    container = Container(T0 + at[0])
    for row in rows:
        container.add_cpu(T0 + row.at_ms, row.cpu)
        container.add_memory(T0 + row.at_ms, row.memory)
    return of(taken.profiles, "web"), container


@given(series)
def test_cpu_weights_are_vpas(samples: list[tuple[int, float, float]]) -> None:
    """Shares per bucket agree: ours are integers of 64 a second at least, so a weight is within 1/128 when it is new,
    and loses at most one unit for each of the days that it ages."""
    found, vpa = replay(samples)
    ours = found["histogram"][CPU].astype(float)
    age = 2.0 ** ((found["histogram_reference_ms"][CPU] - vpa.cpu.reference_ms) / DAY)
    theirs = np.array(vpa.cpu.weights) / 0.1 * HISTOGRAM_UNIT[CPU] / age
    assert np.allclose(ours, theirs, rtol=0.01, atol=2)


@given(series)
def test_memory_holds_one_peak_per_window_as_vpa(samples: list[tuple[int, float, float]]) -> None:
    """Exactly: weights are 2^24 halved once per window, and a window that was replaced leaves nothing behind. Weights
    of windows 24 and more ago are below one unit and gone."""
    found, vpa = replay(samples)
    age = 2.0 ** ((found["histogram_reference_ms"][MEMORY] - vpa.memory.reference_ms) / DAY)
    theirs = np.array(vpa.memory.weights) * HISTOGRAM_UNIT[MEMORY] / age
    assert np.allclose(found["histogram"][MEMORY], theirs, rtol=0, atol=2)
    assert found["window_end_ms"] == vpa.window_end_ms


def test_a_first_sample_of_zero_does_not_hide_the_window() -> None:
    """0 B, then 1 GB: VPA would keep 0 for the whole window; here the window's peak is 1 GB."""
    taken = profile([message([Row("web", MINUTE, 0.1, 0.0), Row("web", 2 * MINUTE, 0.1, 1e9)], "n1", 1)])
    found = of(taken.profiles, "web")
    assert found["window_peak"][MEMORY] == np.float32(1e9)
    assert percentile(found["histogram"][None, MEMORY], 0.9, MEMORY)[0] > 1e9
    assert found["histogram"][MEMORY].sum() == HISTOGRAM_UNIT[MEMORY]


def test_six_thousand_replicas_at_1_hz_do_not_stick() -> None:
    """float32 stops counting at 2^24 = 16.8 million. 500 rows of half a day an hour are 6,000 busy replicas: the two
    buckets stay equal, and are halved before 32 bits are full: 250 * 43,200 s * 64 = 691 million an hour."""
    messages = []
    for hour in range(12):
        rows = [Row("web", hour * HOUR + i, 1.0 if i % 2 else 4.0, interval_ms=DAY // 2) for i in range(500)]
        messages.append(message(rows, "n1", hour + 1))
    histogram = of(profile(messages).profiles, "web")["histogram"][CPU].astype(float)
    low, high = np.flatnonzero(histogram)
    assert histogram[low] == histogram[high]
    assert histogram[low] < 2**32 - 2**31


def test_the_running_day_counts_seconds_without_decay() -> None:
    """Ten rows of 1 s and one of 15 s: 25 s in all, for CPU and for memory, until the day ends."""
    rows = [Row("web", i * 1000 + 1000, 0.5, 1e8) for i in range(10)] + [Row("web", MINUTE, 0.5, 1e8, 15_000)]
    found = of(profile([message(rows, "n1", 1)]).profiles, "web")
    assert found["day_histogram"].sum(axis=1).tolist() == [25, 25]
    after = of(profile([message(rows, "n1", 1), message([Row("web", DAY, 1.0, 1e8)], "n1", 2)]).profiles, "web")
    assert after["day_histogram"].sum(axis=1).tolist() == [1, 1]
