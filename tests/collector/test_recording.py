"""Recordings: what was read comes back as it was, and plays the same every time."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.outbox import Outbox
from collector.publisher import Flush, messages
from collector.recording import Recording, RecordingError, RecordingSink
from collector.replay import Pace, Replay
from collector.source import Moment
from models.events import WorkloadEvent
from models.inventory import Allocation, Node
from models.metrics import NullMeter
from models.signals import CPU_SIGNALS
from models.telemetry import TelemetryBatch
from stream.contract import Message

MIB = 1 << 20
VALUES = st.one_of(st.none(), st.floats(0, 1e12))


def batch(time_ms: int, n: int = 3, workload: str = "c/n/k/w{}/m", value: float | None = 0.25) -> TelemetryBatch:
    keys = {"workload": [workload.format(i) for i in range(n)], "instance": [f"i{i}" for i in range(n)]}
    return TelemetryBatch("cpu", keys, [time_ms] * n, [1000] * n, {"cpu_cores": [value] * n})


def flush(time_ms: int) -> Flush:
    event = WorkloadEvent("oom-killed", "c/n/k/w0/m", "i0", "n1", time_ms, {"kills": "1"})
    node = Node("c", "n1", time_ms, allocations=(Allocation("c/n/k/w0/m", "i0", 0.5, None),))
    return Flush(time_ms, [batch(time_ms)], [event], [node])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three flushes, 10 s apart."""
    file = tmp_path / "monday.rec"
    with RecordingSink(file) as sink:
        for i in range(3):
            sink.put(flush(1_700_000_000_000 + i * 10_000), {})
    return file


@given(st.lists(st.tuples(*(VALUES for _ in CPU_SIGNALS)), min_size=1, max_size=20))
def test_rows_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float | None, ...]]
) -> None:
    """Whatever a signal holds; one that no row has is left out, as the codec does."""
    n = len(rows)
    columns = {signal.name: [row[i] for row in rows] for i, signal in enumerate(CPU_SIGNALS)}
    written = TelemetryBatch("cpu", {"workload": ["w/ü"] * n, "instance": ["i"] * n}, [5] * n, [7] * n, columns)
    file = tmp_path_factory.mktemp("r") / "r.rec"
    with RecordingSink(file) as sink:
        sink.put(Flush(1, [written]), {})
    with Recording(file) as read:
        (back,) = read.flush(1).batches
    kept = {name: column for name, column in columns.items() if any(value is not None for value in column)}
    assert (back.keys, back.time_ms, back.interval_ms, back.signals) == (
        written.keys,
        written.time_ms,
        written.interval_ms,
        kept,
    )


def test_a_replay_makes_the_messages_that_were_collected(recording: Path, tmp_path: Path) -> None:
    """What the collector would have put into its outbox, number for number."""
    played = _played(recording, tmp_path / "o.db")
    collected = [m for i in range(3) for m in messages(flush(1_700_000_000_000 + i * 10_000), "p", 8)]
    assert played == [(a.stream, a.message) for a in collected]


def test_the_same_recording_twice_makes_the_same_messages(recording: Path, tmp_path: Path) -> None:
    assert _played(recording, tmp_path / "a.db") == _played(recording, tmp_path / "b.db")


def test_shifted_times_end_now(recording: Path, tmp_path: Path) -> None:
    """The newest row is at the replay's first moment, the others as far before it as they were."""
    played = _played(recording, tmp_path / "o.db", Pace(None, shift_to_now=True))
    times = sorted({m.time_ms for _, m in played})
    assert times == [_now().wall_ms - 20_000, _now().wall_ms - 10_000, _now().wall_ms]


def test_a_stopped_replay_goes_on_with_the_same_shift(recording: Path, tmp_path: Path) -> None:
    """Stopped after one flush and started again later: the same messages as in one go."""
    once = _played(recording, tmp_path / "a.db", Pace(None, shift_to_now=True))
    with Recording(recording) as source, Outbox(tmp_path / "b.db", MIB, NullMeter(), "p") as outbox:
        stop = _StopAfterOne(outbox)
        assert not Replay(source, outbox, 8, Pace(None, shift_to_now=True), MIB, _now).run(stop)
        first = len(outbox)
    later = lambda: Moment(_now().wall_ms + 99_000, 0)  # noqa: E731
    with Recording(recording) as source, Outbox(tmp_path / "b.db", MIB, NullMeter(), "p") as outbox:
        assert Replay(source, outbox, 8, Pace(None, shift_to_now=True), MIB, later).run(threading.Event())
        assert _waiting(outbox) == once
        assert 0 < first < len(once)


def test_what_was_played_to_its_end_is_played_again_only_when_asked(recording: Path, tmp_path: Path) -> None:
    """A supervisor that starts a finished replay again must not double it."""
    with Recording(recording) as source, Outbox(tmp_path / "o.db", MIB, NullMeter()) as outbox:
        for again, expected in ((False, 1), (False, 1), (True, 2)):
            assert Replay(source, outbox, 8, Pace(None), MIB, _now, again=again).run(threading.Event())
            assert len(outbox) == expected * len(_played(recording, tmp_path / f"{again}{expected}.db"))


def test_speed_divides_the_time_between_flushes(recording: Path, tmp_path: Path) -> None:
    """10 s apart at speed 4: due at 0, 2.5 and 5 s."""
    clock = _Clock()
    with Recording(recording) as source, Outbox(tmp_path / "o.db", MIB, NullMeter()) as outbox:
        assert Replay(source, outbox, 8, Pace(4.0), MIB, clock.now).run(clock)
    assert clock.ms == 5000


def test_a_full_outbox_slows_a_replay_down_and_loses_nothing(tmp_path: Path) -> None:
    """Far more than the bound: the replay waits for the log each time half of it is full."""
    with RecordingSink(tmp_path / "big.rec") as sink:
        for i in range(30):
            event = WorkloadEvent("started", "w", "i", "n", i, {"text": "x" * 100_000})
            sink.put(Flush(i, [], [event]), {})
    with Recording(tmp_path / "big.rec") as source, Outbox(tmp_path / "o.db", MIB, NullMeter()) as outbox:
        drain = _DrainWhenAsked(outbox)
        assert Replay(source, outbox, 8, Pace(None), MIB, _now).run(drain)
        assert drain.taken + len(outbox) == 30


def test_a_recording_that_is_cut_short_plays_up_to_its_last_flush(recording: Path) -> None:
    """A flush is one transaction: one that was under way is not there."""
    db = sqlite3.connect(recording, isolation_level=None)
    db.execute("BEGIN")
    db.execute("INSERT INTO flushes (time_ms, rows) VALUES (1, 1)")
    db.close()
    with Recording(recording) as read:
        assert len(read) == 3


def test_a_recording_is_continued(recording: Path) -> None:
    with RecordingSink(recording) as sink:
        sink.put(flush(1_700_000_099_000), {})
    with Recording(recording) as read:
        assert len(read) == 4
        assert read.span_ms() == (1_700_000_000_000, 1_700_000_099_000)


def test_errors_name_the_file_and_the_mend(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"there is no recording .*; `sizewise record"):
        Recording(tmp_path / "none.rec")
    other = tmp_path / "other.db"
    sqlite3.connect(other).execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(RecordingError, match=r"is no recording of sizewise; name another file"):
        RecordingSink(other)
    with pytest.raises(ValueError, match="speed is 0"):
        Pace(0)


def test_a_damaged_part_is_named(recording: Path) -> None:
    db = sqlite3.connect(recording)
    with db:
        db.execute("UPDATE parts SET value = x'00' WHERE flush = 2")
    db.close()
    with Recording(recording) as read, pytest.raises(RecordingError, match="flush 2"):
        read.flush(2)


def test_an_outbox_in_the_middle_of_another_recording_is_refused(recording: Path, tmp_path: Path) -> None:
    with RecordingSink(tmp_path / "other.rec") as sink:
        sink.put(flush(1), {})
    with Outbox(tmp_path / "o.db", MIB, NullMeter()) as outbox:
        with Recording(recording) as source:
            Replay(source, outbox, 8, Pace(None), MIB, _now).run(_StopAfterOne(outbox))
        with (
            Recording(tmp_path / "other.rec") as other,
            pytest.raises(RecordingError, match="in the middle of another"),
        ):
            Replay(other, outbox, 8, Pace(None), MIB, _now)


class _StopAfterOne:
    """Stops once the outbox holds the first flush."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def is_set(self) -> bool:
        return len(self._outbox) > 0

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


class _DrainWhenAsked(threading.Event):
    """A log that takes everything whenever the replay waits."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__()
        self._outbox, self.taken = outbox, 0

    def wait(self, timeout: float | None = None) -> bool:
        waiting = self._outbox.oldest(100, 100 * MIB)
        self.taken += len(waiting)
        self._outbox.confirm(waiting[-1].sequence)
        return False


class _Clock:
    def __init__(self) -> None:
        self.ms = 0

    def now(self) -> Moment:
        return Moment(0, self.ms)

    def wait(self, timeout: float | None = None) -> bool:
        self.ms += round((timeout or 0) * 1000)
        return False

    def is_set(self) -> bool:
        return False


def _now() -> Moment:
    return Moment(1_800_000_000_000, 0)


def _played(recording: Path, outbox_file: Path, pace: Pace = Pace(None)) -> list[tuple[str, Message]]:  # noqa: B008
    with Recording(recording) as source, Outbox(outbox_file, MIB, NullMeter(), producer="p") as outbox:
        assert Replay(source, outbox, 8, pace, MIB, _now).run(threading.Event())
        return _waiting(outbox)


def _waiting(outbox: Outbox) -> list[tuple[str, Message]]:
    return [(w.stream, w.message) for w in outbox.oldest(1000, 100 * MIB)]
