"""GPU rows: time in each class, means, framebuffer peaks; grouping, restarts and CPU rows change no bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bottleneck import COMPUTE, Bottleneck
from models.hardware.discovery import name_of
from models.peak16 import from_peak16
from models.profile import CPU_FIELDS, GPU_FIELDS, GPU_SIGNALS_KEPT
from profiler import summary
from profiler.partition import Partition
from profiler.settings import ProfilerSettings
from stream.contract import Message
from tests.profiler.gpu_telemetry import GpuRow, gpu_message
from tests.profiler.telemetry import (  # fmt: skip
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Row,
    message,
    of,
    partition,
    profile,
    record,
    state,
    workload,
)

GIB = 2.0**30
GEMM = {"gpu_utilization_ratio": 1.0, "tensor_active_ratio": 0.9, "dram_active_ratio": 0.3, "power_watts": 690.0}
STREAM = {"gpu_utilization_ratio": 1.0, "tensor_active_ratio": 0.0, "dram_active_ratio": 0.78, "power_watts": 420.0}
IDLE = {"gpu_utilization_ratio": 0.0, "power_watts": 70.0}


def summarised(taken: Partition) -> Partition:
    summary.write(taken.profiles, slice(0, len(taken.profiles.names)))
    return taken


def shares(found: dict[str, np.ndarray]) -> dict[str, float]:
    seconds = found["gpu_class_seconds"]
    return {b.name: float(seconds[b] / seconds.sum()) for b in Bottleneck if seconds[b] > 0}


def test_time_is_counted_per_class() -> None:
    """Minutes of a GPU: three of matrix products, one of triad, one idle: 0.6, 0.2 and 0.2 of the time."""
    minutes = [GEMM, GEMM, STREAM, IDLE, GEMM]
    rows = [GpuRow("a", m * MINUTE + s * SECOND, w) for m, w in enumerate(minutes) for s in range(60)]
    found = of(summarised(profile([gpu_message(rows, "n1", 1)])).profiles, "a")
    assert shares(found) == pytest.approx({"COMPUTE": 0.6, "MEMORY_BANDWIDTH": 0.2, "IDLE": 0.2}, rel=0.01)
    assert Bottleneck(found["gpu_bottleneck"]) is Bottleneck.COMPUTE
    assert found["gpu_covered_ms"] == 300 * SECOND
    assert found["gpu_count"] == 1
    assert name_of(int(found["gpu_model"])) == "H100-SXM-80"


@pytest.mark.parametrize(("idle", "headline", "sure"), [(1, Bottleneck.INSUFFICIENT, 0.25), (3, Bottleneck.IDLE, 0.75)])
def test_time_without_a_class_is_no_time_to_be_sure_of(idle: int, headline: Bottleneck, sure: float) -> None:
    """Four minutes of NVML alone, some idle, in the others the GPU is busy and no one tells with what. A quarter of the time
    does not speak for the job, three quarters do; and nobody is surer than the share of time that has a class."""
    minutes = [IDLE] * idle + [{"gpu_utilization_ratio": 1.0}] * (4 - idle)
    rows = [GpuRow("a", m * MINUTE + s * SECOND, w) for m, w in enumerate(minutes) for s in range(60)]
    found = of(summarised(profile([gpu_message(rows, "n1", 1)])).profiles, "a")
    assert Bottleneck(found["gpu_bottleneck"]) is headline
    assert float(found["gpu_bottleneck_confidence"]) == pytest.approx(sure, abs=0.01)


def test_a_window_is_the_mean_of_its_minute() -> None:
    """Half a minute at 0.9 of the tensor pipe, half at nothing: 0.45 of 0.93 is 0.48, under the line: latency."""
    rest = GEMM | {"tensor_active_ratio": 0.0, "power_watts": 200.0}
    rows = [GpuRow("a", s * SECOND, (GEMM if s < 30 else rest)) for s in range(60)]
    found = of(summarised(profile([gpu_message(rows, "n1", 1)])).profiles, "a")
    assert shares(found) == {"LATENCY": 1.0}
    assert found["gpu_evidence"][COMPUTE] == pytest.approx(0.45 / 0.93)


def test_yesterday_counts_half() -> None:
    """A minute of triad at noon, the next noon a minute of products: 2^-1 to 1."""
    sent = [
        gpu_message([GpuRow("a", 12 * HOUR + s * SECOND, STREAM) for s in range(60)], "n1", 1),
        gpu_message([GpuRow("a", DAY + 12 * HOUR + s * SECOND, GEMM) for s in range(60)], "n1", 2),
    ]
    found = of(profile(sent).profiles, "a")
    assert shares(found) == pytest.approx({"MEMORY_BANDWIDTH": 1 / 3, "COMPUTE": 2 / 3})


def test_missing_signals_have_no_weight_and_are_no_zeros() -> None:
    """FP64 was never seen: its weight is 0; DRAM was seen in one of two rows: its mean is that row's."""
    rows = [GpuRow("a", SECOND, {"dram_active_ratio": 0.6}), GpuRow("a", 2 * SECOND, {"gpu_utilization_ratio": 1.0})]
    found = of(profile([gpu_message(rows, "n1", 1)]).profiles, "a")
    place = {name: i for i, name in enumerate(GPU_SIGNALS_KEPT)}
    assert found["gpu_signal_weight"][place["fp64_active_ratio"]] == 0
    dram = place["dram_active_ratio"]
    assert found["gpu_signal_sum"][dram] / found["gpu_signal_weight"][dram] == pytest.approx(0.6)


def test_framebuffer_peaks_are_kept_by_day_and_never_too_low() -> None:
    """10 and 37 GiB today, 5 tomorrow, on the fuller of two GPUs; 40 days later both columns are empty or new."""
    sent = [
        gpu_message([GpuRow("a", MINUTE, {"framebuffer_used_bytes": 10 * GIB}),
                     GpuRow("a", MINUTE, {"framebuffer_used_bytes": 37 * GIB + 1}, gpu="GPU-1")], "n1", 1),
        gpu_message([GpuRow("a", DAY + MINUTE, {"framebuffer_used_bytes": 5 * GIB})], "n1", 2),
    ]  # fmt: skip
    found = of(profile(sent).profiles, "a")
    day = int(found["gpu_newest_day"])
    peaks = from_peak16(found["gpu_framebuffer_peak"])
    assert 37 * GIB < peaks[(day - 1) % 32] <= 37 * GIB * 129 / 128
    assert peaks[day % 32] == 5 * GIB
    assert np.count_nonzero(peaks) == 2
    later = gpu_message([GpuRow("a", 34 * DAY, {"framebuffer_used_bytes": 1 * GIB})], "n1", 3)
    assert np.count_nonzero(of(profile([*sent, later]).profiles, "a")["gpu_framebuffer_peak"]) == 1


def test_gpus_are_counted_per_instance() -> None:
    """Two instances, on 2 and on 4 GPUs: 4. Then one remains on 2: 2."""

    def rows(at_ms: int, sizes: dict[str, int]) -> list[GpuRow]:
        return [GpuRow("a", at_ms, IDLE, f"{i}/{g}", i) for i, size in sizes.items() for g in range(size)]

    sent = [gpu_message(rows(MINUTE, {"i0": 2, "i1": 4}), "n1", 1)]
    assert of(profile(sent).profiles, "a")["gpu_count"] == 4
    sent.append(gpu_message(rows(2 * MINUTE, {"i0": 2}), "n1", 2))
    assert of(profile(sent).profiles, "a")["gpu_count"] == 2


def test_a_slice_is_known_as_one() -> None:
    """Its board's power is not its own, so no window of it is at the power limit."""
    found = of(profile([gpu_message([GpuRow("a", SECOND, GEMM, slice="1g.10gb")], "n1", 1)]).profiles, "a")
    assert found["gpu_sliced"] == 1


def test_what_was_not_seen_for_long_begins_anew() -> None:
    """Triad, 46 days of silence, products: nothing of the triad is left. The CPU side is not touched."""
    sent = [
        message([Row("a", MINUTE, 1.0)], "n1", 1),
        gpu_message([GpuRow("a", MINUTE, STREAM)], "n1", 2),
        gpu_message([GpuRow("a", 46 * DAY + MINUTE, GEMM)], "n1", 3),
    ]
    found = of(profile(sent).profiles, "a")
    assert shares(found) == {"COMPUTE": 1.0}
    assert found["rows"] == 1


def test_late_rows_are_left_out_and_said() -> None:
    """Two hours behind the newest GPU row: rejected. CPU rows of that time are not late."""
    taken = profile([
        gpu_message([GpuRow("a", 3 * HOUR, GEMM)], "n1", 1),
        gpu_message([GpuRow("a", HOUR, GEMM)], "n2", 1),
        message([Row("a", HOUR, 1.0)], "n3", 1),
    ])  # fmt: skip
    assert [str(error) for _, error in taken.take_rejected()] == [
        "late: 1 rows are over an hour older than their workload's newest"
    ]
    assert of(taken.profiles, "a")["rows"] == 1


def test_a_gpu_workload_is_forgotten_by_its_own_clock() -> None:
    """Only GPU rows, 48 days old when another's come: the row is free at the next checkpoint."""
    taken = profile([gpu_message([GpuRow("a", MINUTE, GEMM)], "n1", 1),
                     gpu_message([GpuRow("b", 48 * DAY, GEMM)], "n1", 2)])  # fmt: skip
    taken.checkpoint(2, NOW)
    assert taken.profiles.names == [None, workload("b")]


def test_old_cpu_fields_go_though_the_gpu_lives_on() -> None:
    """CPU rows on day 0, GPU rows on day 33, forgotten after 2 days: the row has its GPU fields alone, whether or not a
    checkpoint in between had freed it."""
    chosen = ProfilerSettings(forget_after_days=2)
    sent = [
        message([Row("a", HOUR, 1.0)], "n1", 1),
        message([Row("b", 33 * DAY, 1.0)], "n1", 2),
        gpu_message([GpuRow("a", 33 * DAY, GEMM)], "n1", 3),
    ]
    never_saved = profile(sent, chosen)
    saved = profile(sent[:2], chosen)
    restored = partition(chosen, saved.checkpoint(2, NOW))
    restored.take(record(sent[2], 2), NOW)
    for taken in (never_saved, restored):
        taken.checkpoint(3, NOW)
    found = of(never_saved.profiles, "a")
    assert found["last_seen_ms"] == 0
    assert found["gpu_last_seen_ms"] > 0
    assert state(restored) == state(never_saved)


def test_a_partition_without_gpus_pays_nothing_for_them() -> None:
    """GPU fields read as zeros and have no memory of their own."""
    profiles = profile([message([Row("a", MINUTE, 1.0)], "n1", 1)]).profiles
    for spec in GPU_FIELDS:
        assert not profiles[spec.name].any()
        assert not any(profiles[spec.name].strides)
    assert all(profiles[spec.name].flags.writeable for spec in CPU_FIELDS)


steps = st.sampled_from([0, SECOND, 10 * SECOND, MINUTE, 50 * MINUTE, HOUR, DAY, 3 * DAY, 33 * DAY, 47 * DAY])
gpu_rows = st.builds(
    GpuRow,
    st.sampled_from("ab"),
    st.integers(-90 * MINUTE, 20 * MINUTE),
    st.sampled_from([GEMM, STREAM, IDLE, {}]) | st.builds(
        lambda used, power: {"framebuffer_used_bytes": used, "power_watts": power}, st.floats(0, 1e11), st.floats(0, 700)
    ),
    st.sampled_from(["g0", "g1"]),
    st.sampled_from(["i0", "i1"]),
    st.sampled_from([SECOND, 15 * SECOND, 777]),
)  # fmt: skip
cpu_rows = st.builds(Row, st.sampled_from("ab"), st.integers(-30 * MINUTE, 20 * MINUTE), st.floats(0, 50))
flushes = st.lists(
    st.tuples(steps, st.lists(gpu_rows, min_size=1, max_size=8) | st.lists(cpu_rows, min_size=1, max_size=4)),
    min_size=1,
    max_size=10,
)


def log_of(flushes: list[tuple[int, list[GpuRow] | list[Row]]]) -> list[Message]:
    sent, clock = [], 3 * HOUR
    for number, (step, around) in enumerate(flushes):
        clock += step
        producer, sequence = f"n{number % 3}", number + 1
        if isinstance(around[0], GpuRow):
            moved = [GpuRow(r.name, clock + r.at_ms, r.signals, r.gpu, r.instance, r.interval_ms) for r in around]
            sent.append(gpu_message(moved, producer, sequence))
        else:
            sent.append(message([Row(r.name, clock + r.at_ms, r.cpu) for r in around], producer, sequence))
    return sent


@settings(max_examples=50, deadline=None)
@given(flushes, st.lists(st.booleans(), min_size=10, max_size=10), st.sampled_from([45, 2]))
def test_grouping_and_restarts_change_no_bit(
    flushes: list[tuple[int, list[GpuRow] | list[Row]]], cuts: list[bool], forget: int
) -> None:
    """CPU and GPU messages mixed: in one batch, one by one, in random groups, saved and restored: the same."""
    sent, chosen = log_of(flushes), ProfilerSettings(forget_after_days=forget)
    together = profile(sent, chosen)
    alone, grouped, restored = (partition(chosen) for _ in range(3))
    saved: dict[str, Message] = {}
    for offset, one in enumerate(sent):
        for taken in (alone, grouped, restored):
            taken.take(record(one, offset), NOW)
        alone.settle()
        if cuts[offset]:
            grouped.settle()
            saved.update((m.key, m) for m in restored.checkpoint(offset + 1, NOW))
            restored = partition(chosen, saved.values())
    for taken in (together, alone, grouped, restored):  # a checkpoint frees what is long gone
        taken.checkpoint(len(sent) + 1, NOW)
    expected = state(together)
    assert state(alone) == expected
    assert state(grouped) == expected
    assert state(restored) == expected
