"""Heads of runs in profiles: the first two minutes of the newest run, on one GPU of one instance."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fingerprint.head import HEAD_FIELDS, SAMPLES, head_of, memory_codes, utilization_codes, window_of
from models.fingerprint.window import Board
from models.profile import GPU_FIELDS
from profiler.partition import Partition
from stream.contract import Message
from tests.models.fingerprint.workloads import window
from tests.profiler.gpu_telemetry import GpuRow, gpu_message
from tests.profiler.telemetry import MINUTE, NOW, SECOND, T0, of, partition, profile, record

GIB = float(1 << 30)


def row(at_ms: int, busy: float, gpu: str = "GPU-0", instance: str = "i0") -> GpuRow:
    return GpuRow("a", at_ms, {"gpu_utilization_ratio": busy, "framebuffer_used_bytes": GIB}, gpu, instance)


def head(*messages: list[GpuRow]) -> dict[str, Any]:
    return of(profile([gpu_message(rows, "n", k + 1) for k, rows in enumerate(messages)]).profiles, "a")


def one_by_one(messages: list[Message]) -> Partition:
    taken = partition()
    for offset, sent in enumerate(messages):
        taken.take(record(sent, offset), NOW)
        taken.settle()
    return taken


def test_the_first_two_minutes_are_kept() -> None:
    """A row every 2 s, 1 % busier each: samples 0 to 59, and what comes after changes nothing."""
    found = head([row(2 * SECOND * k, k / 100) for k in range(90)])
    assert found["gpu_head_utilization"].tolist() == [1 + k for k in range(SAMPLES)]
    assert set(found["gpu_head_memory"].tolist()) == {1 + 256}  # 1 GiB is 256 times 4 MiB
    assert (found["gpu_head_start_ms"], found["gpu_head_step_ms"]) == (T0, 2000)


def test_a_run_after_ten_silent_minutes_has_its_own() -> None:
    """Nine minutes are one run, eleven are two."""
    near = head([row(0, 0.1)], [row(9 * MINUTE, 0.9)])
    far = head([row(0, 0.1)], [row(11 * MINUTE, 0.9)])
    assert near["gpu_head_utilization"][0] == 11
    assert far["gpu_head_utilization"][0] == 91
    assert far["gpu_head_start_ms"] == T0 + 11 * MINUTE


def test_it_is_of_one_gpu_of_one_instance() -> None:
    """The other GPU and the other instance are busier, and do not count."""
    found = head([row(0, 0.1), row(0, 0.9, gpu="GPU-1"), row(0, 0.8, instance="i1"), row(2 * SECOND, 0.2)])
    assert found["gpu_head_utilization"][:3].tolist() == [11, 21, 0]


def test_rows_that_come_rarely_are_samples_of_their_own() -> None:
    """Every 15 s, some hundredths off: sample after sample, fifteen minutes in all."""
    late = [0, 30, -20, 10]
    rows = [GpuRow("a", 15_000 * k + late[k], {"gpu_utilization_ratio": k / 10}, interval_ms=15_000) for k in range(4)]
    found = head(rows)
    assert (found["gpu_head_step_ms"], found["gpu_head_utilization"][:5].tolist()) == (15_000, [1, 11, 21, 31, 0])


def test_a_signal_that_is_missing_stays_missing() -> None:
    """Never 0: the window has no such signal at all."""
    found = head([GpuRow("a", 0, {"framebuffer_used_bytes": GIB})])
    told = {field.name: found[field.name][None] for field in HEAD_FIELDS}
    assert list(window_of(told, 0, Board()).signals) == ["framebuffer_used_bytes"]  # type: ignore[union-attr]


ROWS = st.lists(
    st.tuples(st.integers(0, 90), st.integers(0, 100), st.sampled_from(["GPU-0", "GPU-1"])), min_size=1, max_size=40
)


@given(ROWS, st.lists(st.integers(1, 40), max_size=4))
@settings(max_examples=50, deadline=None)
def test_how_messages_are_grouped_changes_no_bit(rows: list[tuple[int, int, str]], cuts: list[int]) -> None:
    """The same messages absorbed one by one and all at once, with gaps of up to 90 minutes."""
    sent = [row(minute * MINUTE, busy / 100, gpu=gpu) for minute, busy, gpu in sorted(rows)]
    bounds = sorted({0, *(cut for cut in cuts if cut < len(sent)), len(sent)})
    messages = [gpu_message(sent[a:b], "n", k + 1) for k, (a, b) in enumerate(pairwise(bounds))]
    together, apart = of(profile(messages).profiles, "a"), of(one_by_one(messages).profiles, "a")
    for field in GPU_FIELDS:
        np.testing.assert_array_equal(together[field.name], apart[field.name])


def test_codes_are_exact_to_their_step() -> None:
    """Utilisation comes in whole percents; memory within 2 MiB, and 300 GiB count as 256."""
    ratios = np.array([0.0, 0.01, 1.0, np.nan])
    assert utilization_codes(ratios).tolist() == [1, 2, 101, 0]
    assert memory_codes(np.array([0.0, 6 * 2.0**20, 300 * GIB, np.nan])).tolist() == [1, 3, 65_535, 0]


def test_a_window_cut_to_its_head_is_what_a_profile_gives() -> None:
    """The same samples by both ways: training and serving see one form."""
    whole = window("dips", 1.0, 3)
    signals = {name: values.tolist() for name, values in whole.signals.items()}
    sent = [
        GpuRow("a", 2 * SECOND * k, {n: v[k] for n, v in signals.items()}, interval_ms=2000) for k in range(len(whole))
    ]
    found = head(sent)
    by_profile = window_of({f.name: found[f.name][None] for f in HEAD_FIELDS}, 0, whole.board)
    by_training = head_of(whole)
    assert by_profile is not None
    assert by_training is not None
    assert by_profile.interval_s == by_training.interval_s
    for name, values in by_training.signals.items():
        np.testing.assert_array_equal(by_profile.signals[name], values)
