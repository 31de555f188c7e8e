"""One partition: what it takes, what it refuses and why, what it saves and forgets."""

from __future__ import annotations

import numpy as np
import pytest

from models.columns import row_bytes
from models.histogram import from_log_code
from models.profile import CPU, CPU_FIELDS, DAY_LEVELS, PROFILE_FIELDS
from profiler.profiles import SLAB
from profiler.settings import ProfilerSettings
from profiler.slabs import restore
from stream.contract import Message
from stream.dead_letters import BadMessageError, Reason
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
    workload,
)  # fmt: skip


def one(at_ms: int, sequence: int = 1, producer: str = "n1") -> Message:
    return message([Row("web", at_ms, 1.0)], producer, sequence)


def test_a_row_of_the_table_leaves_room_for_its_id() -> None:
    """8,192 bytes a workload in all: about 220 are Python's for an id of 60 characters, its place and its slot.
    With a GPU the row alone is 8,192 at most."""
    assert row_bytes(CPU_FIELDS) <= 8192 - 400
    assert row_bytes(PROFILE_FIELDS) <= 8192


@pytest.mark.parametrize(
    ("sequence", "reason"), [(7, Reason.DUPLICATE), (5, Reason.DUPLICATE), (6, Reason.OUT_OF_ORDER)]
)
def test_a_message_counts_once_and_in_order(sequence: int, reason: Reason) -> None:
    """After 5 and 7 of one producer: 7 and 5 are repeats, 6 comes too late. Another producer's 6 is its own."""
    taken = profile([one(MINUTE, 5), one(2 * MINUTE, 7)])
    before = state(taken)
    with pytest.raises(BadMessageError) as refused:
        taken.take(record(one(3 * MINUTE, sequence), 9), NOW)
    assert refused.value.reason is reason
    assert state(taken) == before
    taken.take(record(one(3 * MINUTE, 6, "n2"), 10), NOW)
    taken.settle()
    assert of(taken.profiles, "web")["rows"] == 3


def test_what_was_taken_is_remembered_over_a_restart() -> None:
    """The cover holds the sequences: a repeat after a restart is a repeat."""
    first = partition()
    first.take(record(one(MINUTE, 5), 0), NOW)
    second = partition(saved=first.checkpoint(1, NOW))
    with pytest.raises(BadMessageError, match="duplicate: sequence 5 of producer 'n1' was taken"):
        second.take(record(one(MINUTE, 5), 1), NOW)


@pytest.mark.parametrize(
    ("written", "now", "reason"),
    [(T0 + DAY, T0, Reason.FUTURE), (T0, T0 + 401 * DAY, Reason.ANCIENT)],
)
def test_a_message_written_at_an_impossible_time_is_refused(written: int, now: int, reason: Reason) -> None:
    """Over five minutes ahead of now, or over 400 days ago."""
    with pytest.raises(BadMessageError) as refused:
        partition().take(record(message([Row("web", 0, 1.0)], "n1", 1, time_ms=written), 0), now)
    assert refused.value.reason is reason


def test_rows_are_held_against_the_time_of_their_message() -> None:
    """One row is 6 minutes ahead of when it was sent: it is left out, the other counts, and reading it a day later
    decides the same."""
    sent = message([Row("web", 0, 1.0), Row("db", 6 * MINUTE, 1.0)], "n1", 1, time_ms=T0)
    for now in (T0, T0 + DAY):
        taken = partition()
        taken.take(record(sent, 0), now)
        taken.settle()
        assert taken.profiles.names == [workload("web")]
        assert [error.reason for _, error in taken.take_rejected()] == [Reason.FUTURE]


def test_late_rows_are_left_out_and_named() -> None:
    """The newest row is at 3:00. A row of 1:59 is over an hour older and late; the one of 2:01 counts."""
    sent = [one(3 * HOUR, 1), message([Row("web", 119 * MINUTE, 9.0), Row("web", 121 * MINUTE, 2.0)], "n2", 1)]
    taken = profile(sent)
    found = of(taken.profiles, "web")
    assert (found["rows"], found["window_peak"][CPU]) == (2, 2.0)
    ((late, error),) = taken.take_rejected()
    assert (late.offset, error.reason, error.detail) == (
        1,
        Reason.LATE,
        "1 rows are over an hour older than their workload's newest",
    )


def test_a_row_of_yesterday_that_comes_at_midnight_keeps_its_day() -> None:
    """23:59:59 arrives after 0:00:01: the peak is yesterday's."""
    sent = [one(DAY + SECOND, 1), message([Row("web", DAY - SECOND, 7.0)], "n2", 1)]
    found = of(profile(sent).profiles, "web")
    today = found["newest_day"]
    assert found["daily_peak"][CPU, [(today - 1) % 32, today % 32]].tolist() == [7.0, 1.0]


def test_a_finished_day_leaves_its_quantiles() -> None:
    """1,000 rows, 990 at 1 core and 10 at 8: P95 is 1 and P99.9 is 8, both within a bucket; a day later they stand in
    the column of yesterday."""
    rows = [Row("web", (i + 1) * 60 * SECOND, 8.0 if i % 100 == 50 else 1.0) for i in range(1000)]
    found = of(profile([message(rows, "n1", 1), one(DAY + MINUTE, 2)]).profiles, "web")
    yesterday = (found["newest_day"] - 1) % 32
    assert found["daily_p95"][CPU, yesterday] == pytest.approx(1.0, rel=0.05)
    levels = dict(zip(DAY_LEVELS, from_log_code(found["daily_quantile"][CPU, yesterday]), strict=True))
    assert levels[0.5] == pytest.approx(1.0, rel=0.05)
    assert levels[0.999] == pytest.approx(8.0, rel=0.05)
    assert found["daily_peak"][CPU, yesterday] == 8.0
    assert np.isnan(found["daily_p95"][CPU, (yesterday + 1) % 32])


def test_a_checkpoint_holds_what_changed_and_nothing_else() -> None:
    """300 workloads are two slabs. After a message of one workload only its slab is written, with the cover."""
    taken = partition()
    taken.take(record(message([Row(f"w{i:03d}", MINUTE, 1.0) for i in range(300)], "n1", 1), 0), NOW)
    assert [m.key for m in taken.checkpoint(1, NOW)] == ["slab/0", "slab/1", "cover"]
    assert taken.checkpoint(1, NOW) == []
    taken.take(record(message([Row("w299", 2 * MINUTE, 1.0)], "n1", 2), 1), NOW)
    assert [m.key for m in taken.checkpoint(2, NOW)] == ["slab/1", "cover"]


def test_a_restart_finds_every_bit() -> None:
    """Slabs and cover give back the whole state, and a workload keeps its slab."""
    taken = partition()
    rows = [Row(f"w{i:03d}", MINUTE + i, i / 7, i * 1e7) for i in range(300)]
    taken.take(record(message(rows, "n1", 1), 0), NOW)
    again = partition(saved=taken.checkpoint(1, NOW))
    assert again.profiles.names[:300] == taken.profiles.names[:300]
    assert state(again) == state(taken)


def test_forgotten_workloads_free_their_rows() -> None:
    """Of 300 workloads one is seen again after 50 days; 299 go. Their slab without the one is a tombstone, the other
    holds one row, and the next new workload takes the lowest free row."""
    taken = partition(ProfilerSettings(forget_after_days=45))
    taken.take(record(message([Row(f"w{i:03d}", MINUTE, 1.0) for i in range(300)], "n1", 1), 0), NOW)
    taken.checkpoint(1, NOW)
    taken.take(record(message([Row("w299", 50 * DAY, 1.0)], "n1", 2), 1), NOW)
    saved = {m.key: m for m in taken.checkpoint(2, NOW)}
    assert saved["slab/0"].value is None
    assert len(taken.profiles) == 1
    taken.take(record(message([Row("new", 50 * DAY, 1.0)], "n1", 3), 2), NOW)
    taken.settle()
    assert taken.profiles.names[0] == workload("new")
    again = partition(saved=[*saved.values(), *taken.checkpoint(3, NOW)])
    assert state(again) == state(taken)


def test_forgetting_takes_a_bounded_bite() -> None:
    """300 are due and 100 a commit are freed, so three commits do it."""
    taken = partition(ProfilerSettings(forget_after_days=45, max_forget_per_commit=100))
    taken.take(record(message([Row(f"w{i:03d}", MINUTE, 1.0) for i in range(300)], "n1", 1), 0), NOW)
    left = []
    for commit in range(4):
        taken.take(record(message([Row("x", 50 * DAY, 1.0)], "n1", 2 + commit), commit + 1), NOW)
        taken.checkpoint(commit + 2, NOW)
        left.append(len(taken.profiles))
    assert left == [201, 101, 1, 1]


def test_state_that_cannot_be_read_begins_anew_and_is_named() -> None:
    """A broken slab loses its own workloads and no others; a broken cover loses all, or they would count twice."""
    taken = partition()
    taken.take(record(message([Row(f"w{i:03d}", MINUTE, 1.0) for i in range(300)], "n1", 1), 0), NOW)
    saved = [record(m, i, "profiles") for i, m in enumerate(taken.checkpoint(1, NOW))]
    broken_slab = restore([*saved, record(Message("slab/0", b"junk", {"schema": "profile/1"}), 9, "profiles")])
    assert (len(broken_slab.profiles), broken_slab.next_offset) == (300 - SLAB, 1)
    assert [error.reason for _, error in broken_slab.bad] == [Reason.MALFORMED]
    broken_cover = restore([*saved, record(Message("cover", b"{}", {"schema": "cover/1"}), 9, "profiles")])
    assert (len(broken_cover.profiles), broken_cover.next_offset) == (0, None)
    assert len(broken_cover.bad) == 1


def test_many_instances_share_a_row_and_its_window_peak_is_their_highest() -> None:
    """VPA would put 1 GB and 3 GB into the histogram; one row a workload keeps the highest of them."""
    sent = [message([Row("web", MINUTE, 0.1, 1e9)], "n1", 1), message([Row("web", MINUTE, 0.1, 3e9)], "n2", 1)]
    found = of(profile(sent).profiles, "web")
    assert np.count_nonzero(found["histogram"][1]) == 1
    assert found["window_peak"][1] == np.float32(3e9)
    assert found["covered_ms"] == 2 * SECOND
