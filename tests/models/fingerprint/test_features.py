"""Windows, their phases and the one feature function."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fingerprint.augment import augmented
from models.fingerprint.features import NAMES, features
from models.fingerprint.window import MIB, Board, Phases, Window
from tests.models.fingerprint.workloads import GIB, nothing, window


def feature(window: Window, name: str) -> float:
    return float(features([window])[0, NAMES.index(name)])


def test_a_missing_signal_leaves_its_features_nan_and_not_0() -> None:
    """With memory alone nothing is said of activity, and the other way round; power needs its limit."""
    n = 40
    memory = Window({"framebuffer_used_bytes": np.linspace(0, 4 * GIB, n)}, 2.0)
    activity = Window({"gpu_utilization_ratio": np.full(n, 0.5), "power_watts": np.full(n, 100.0)}, 2.0)
    assert np.isnan(feature(memory, "activity_mean"))
    assert feature(memory, "peak_mib") == 4096
    assert feature(activity, "activity_mean") == 0.5
    assert np.isnan(feature(activity, "peak_mib"))
    assert np.isnan(feature(activity, "power_watts_median"))


def test_a_column_of_nan_is_a_missing_signal() -> None:
    """A source that names a signal and never fills it says as much as one that does not name it."""
    one = window("waves", 1.0, 1)
    empty = Window({**one.signals, "sm_active_ratio": np.full(len(one), np.nan)}, 2.0, one.board)
    np.testing.assert_array_equal(features([one]), features([empty]))


def test_a_gap_is_bridged_by_the_value_before_it() -> None:
    """0.2, -, -, 0.8 is read as 0.2, 0.2, 0.2, 0.8; a gap at the start takes what follows."""
    gaps = Window({"sm_active_ratio": np.array([np.nan, 0.2, np.nan, np.nan, 0.8])}, 1.0)
    bridged = gaps.bridged("sm_active_ratio")
    assert bridged is not None
    assert bridged.tolist() == [0.2, 0.2, 0.2, 0.2, 0.8]
    assert gaps.bridged("fp64_active_ratio") is None


def test_phases_are_found_in_memory() -> None:
    """3 MiB, then a context of 500 MiB from sample 2, then 8 GiB from sample 5 to 8, then freed."""
    memory = np.array([3, 3, 500, 500, 500, 8192, 8192, 8192, 8192, 3]) * MIB
    assert Phases.of(memory, 10) == Phases(context=2, start=5, stop=9)
    assert Phases.of(None, 10) == Phases(0, 0, 10)


def test_startup_is_told_in_bytes_and_the_steady_part_in_shares() -> None:
    """Context at 900 MiB above a base of 3 MiB; the peak of 7000 MiB is 0.427 of 16 GiB."""
    one = window("dips", 1.0, 0)
    assert feature(one, "plateau_1_mib") == 897
    assert feature(one, "peak_share") == pytest.approx(7000 / 16384)
    assert feature(one, "before_steady_log_s") == pytest.approx(np.log(30 * 2 + 1))


def test_dips_are_counted_with_the_gaps_between_them() -> None:
    """One in nine samples is below half: the gap between dips is 9."""
    assert feature(window("dips", 1.0, 0), "dip_gap_median") == 9


def test_work_is_time_times_speed_of_the_board() -> None:
    """40 samples of 2 s on two boards of 1e12: 1.6e14 operations."""
    one = Window({"gpu_utilization_ratio": np.ones(40)}, 2.0, Board(half_flops=1e12, gpus=2))
    assert feature(one, "held_half_log_flop") == pytest.approx(np.log(1.6e14))


def test_every_signal_has_a_say() -> None:
    """A CPU workload has features too: the median of ln(1 + 3 cores)."""
    assert feature(Window({"cpu_cores": np.full(20, 3.0)}, 10.0), "cpu_cores_median") == pytest.approx(np.log(4))


values = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@given(values, st.lists(st.floats(0, 8e10), min_size=1, max_size=60), st.booleans(), st.booleans())
def test_any_window_has_the_same_features_and_none_is_infinite(
    activity: list[float], memory: list[float], with_activity: bool, with_memory: bool
) -> None:
    """Short, constant, zero or wild: [1, 297] of numbers and NaN."""
    n = min(len(activity), len(memory))
    signals = {}
    if with_activity:
        signals["gpu_utilization_ratio"] = np.array(activity[:n])
    if with_memory:
        signals["framebuffer_used_bytes"] = np.array(memory[:n])
    rows = features([Window(signals, 2.0, Board(8e10, 1e14, 1e13))])
    assert rows.shape == (1, len(NAMES))
    assert not np.isinf(rows).any()


@given(st.integers(0, 1000), st.sampled_from(["steady", "waves", "dips"]))
def test_a_copy_keeps_signals_together_and_in_range(seed: int, kind: str) -> None:
    """All signals of a copy are as long; memory stays at least 0; the original is not touched."""
    one = window(kind, 1.0, 3)
    before = one.signals["framebuffer_used_bytes"].copy()
    copy = augmented(one, np.random.default_rng(seed))
    lengths = {len(values) for values in copy.signals.values()}
    assert len(lengths) == 1
    assert 0.1 * len(one) < len(copy) < 10 * len(one)
    assert copy.signals["framebuffer_used_bytes"].min() >= 0
    np.testing.assert_array_equal(one.signals["framebuffer_used_bytes"], before)


def test_visible_asks_memory_and_activity() -> None:
    """3 MiB and no activity: nothing. Either of them: something. Neither signal: it cannot be told."""
    assert nothing().visible is False
    assert window("steady", 1.0, 0).visible is True
    assert Window({"sm_active_ratio": np.full(20, 0.3)}, 1.0).visible is True
    assert Window({"power_watts": np.full(20, 60.0)}, 1.0).visible is None


@pytest.mark.parametrize(
    ("signals", "interval_s", "said"),
    [
        ({"gpu_util": np.ones(3)}, 1.0, "gpu_util"),
        ({"cpu_cores": np.ones(3), "oom_kills": np.ones(2)}, 1.0, "different lengths"),
        ({"cpu_cores": np.ones(3)}, 0.0, "interval_s is 0.0"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(signals: dict[str, np.ndarray], interval_s: float, said: str) -> None:
    """The message names the field and the value."""
    with pytest.raises(ValueError, match=said):
        Window(signals, interval_s)


def test_no_windows_give_no_rows() -> None:
    """[0, features], so that it can be stacked."""
    assert features([]).shape == (0, len(NAMES))
