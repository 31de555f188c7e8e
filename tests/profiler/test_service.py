"""The profiler on a real log: end to end, killed at random, in company, and fed with rubbish."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from models.metrics import NullMeter
from models.profile import PROFILE_FIELDS
from profiler.service import Profiler
from profiler.settings import ProfilerSettings
from stream.columns_codec import decode_columns
from stream.contract import EventLog, Message, Record
from stream.open import open_log
from stream.settings import LogSettings
from stream.streams import DEAD_LETTERS, PROFILES, TELEMETRY, stream_specs
from tests.profiler import profiler_process
from tests.profiler.telemetry import HOUR, MINUTE, NOW, SECOND, T0, Row, bits, message, workload

PARTITIONS = 4
GROUP = ProfilerSettings().group
QUICK = ProfilerSettings(commit_interval_s=0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[EventLog]:
    opened = open_log(LogSettings(f"sqlite:{path}", sqlite_synchronous="normal"))
    opened.ensure(stream_specs(PARTITIONS))
    yield opened
    opened.close()


def send(log: EventLog, messages: list[Message]) -> None:
    writer = log.writer()
    writer.append(TELEMETRY, messages)
    writer.flush(30)
    writer.close()


def flush_of(node: int, number: int, seed: int = 0) -> list[Message]:
    """Ten seconds of a node's workloads, one message a partition. Some workloads run on every node."""
    values = random.Random(f"{seed}/{node}/{number}")
    sent = []
    for partition in range(PARTITIONS):
        names = [f"daemon-{partition}", f"web-{node}-{partition}", f"db-{node}-{partition}"]
        rows = [
            Row(name, number * 20 * MINUTE + second * SECOND, values.random() * 4, values.random() * 4e9)
            for second in range(1, 11)
            for name in names
        ]
        sent.append(message(rows, f"node-{node}", number + 1, partition))
    return sent


def read(log: EventLog, stream: str) -> Iterator[Record]:
    reader = log.reader(stream)
    while not reader.caught_up():
        yield from reader.poll(0.5)
    reader.close()


def profiles(log: EventLog) -> dict[str, dict[str, bytes]]:
    """All profiles as committed, bit for bit."""
    newest = {(r.partition, r.key): r for r in read(log, PROFILES)}
    slabs = [r for (_, key), r in newest.items() if key != "cover" and r.value is not None]
    return bits(decode_columns(r.value, PROFILE_FIELDS) for r in slabs)


def wait_until_done(log: EventLog, timeout_s: float = 60) -> None:
    ends = {partition: end for partition, (_, end) in log.offsets(TELEMETRY).items()}
    wait_for(lambda: log.committed(GROUP, TELEMETRY) == ends, timeout_s)


def wait_for(done: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline, "did not come to pass"
        time.sleep(0.02)


def clock() -> Callable[[], float]:
    """Begins at NOW and runs as time does."""
    started = time.monotonic()
    return lambda: NOW / 1000 + time.monotonic() - started


class Running:
    """A profiler in a thread."""

    def __init__(self, log: EventLog, settings: ProfilerSettings = QUICK) -> None:
        self._stop = Event()
        profiler = Profiler(log, settings, NullMeter(), clock())
        self._thread = threading.Thread(target=profiler.run, args=(self._stop,))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def undisturbed(tmp_path: Path, messages: list[Message]) -> dict[str, dict[str, bytes]]:
    """The profiles of one profiler that nobody disturbs, on a log of its own."""
    log = open_log(LogSettings(f"sqlite:{tmp_path / 'undisturbed.db'}", sqlite_synchronous="normal"))
    log.ensure(stream_specs(PARTITIONS))
    send(log, messages)
    running = Running(log)
    wait_until_done(log)
    running.stop()
    found = profiles(log)
    log.close()
    return found


def test_telemetry_in_profiles_out(log: EventLog) -> None:
    """Three nodes, five flushes: 4 * (1 + 3 * 2) workloads; a daemon has the rows of three nodes, 3 * 5 * 10."""
    send(log, [m for number in range(5) for node in range(3) for m in flush_of(node, number)])
    running = Running(log)
    wait_until_done(log)
    running.stop()
    found = profiles(log)
    assert len(found) == 4 * 7
    rows = {name: int.from_bytes(fields["rows"], "little") for name, fields in found.items()}
    assert rows[workload("daemon-2")] == 150
    assert rows[workload("db-1-3")] == 50


@pytest.mark.slow
def test_killed_at_random_the_profiles_are_the_same_bit_for_bit(log: EventLog, path: Path, tmp_path: Path) -> None:
    """30 times SIGKILL while messages come, at any instant of poll, absorb and commit."""
    rounds = [[m for node in range(3) for m in flush_of(node, number)] for number in range(91)]
    chance = random.Random(7)
    process = profiler_process.start(path)
    for number, sent in enumerate(rounds):
        send(log, sent)
        if number % 3 == 2:
            before = log.committed(GROUP, TELEMETRY)
            wait_for(lambda before=before: log.committed(GROUP, TELEMETRY) != before)  # it lives and works
            time.sleep(chance.uniform(0, 0.1))
            profiler_process.end(process, signal.SIGKILL)
            process = profiler_process.start(path)
    wait_until_done(log)
    assert profiler_process.end(process, signal.SIGTERM) == 0
    assert profiles(log) == undisturbed(tmp_path, [m for sent in rounds for m in sent])


def test_profilers_that_join_and_leave_lose_nothing(log: EventLog, tmp_path: Path) -> None:
    """A second and a third join, the first leaves: the profiles are those of one that nobody disturbed."""
    rounds = [[m for node in range(3) for m in flush_of(node, number)] for number in range(30)]
    running = [Running(log)]
    for number, sent in enumerate(rounds):
        send(log, sent)
        if number in (5, 10):
            running.append(Running(log))
        if number == 20:
            running.pop(0).stop()
        time.sleep(0.03)
    wait_until_done(log)
    for one in running:
        one.stop()
    assert profiles(log) == undisturbed(tmp_path, [m for sent in rounds for m in sent])


def damaged(sent: Message, value: bytes | None = None, **headers: str) -> Message:
    return Message(
        sent.key, sent.value if value is None else value, {**sent.headers, **headers}, sent.time_ms, sent.partition
    )


def test_rubbish_goes_to_the_dead_letters_with_a_reason(log: EventLog) -> None:
    """Between good messages comes one of each kind; each is named, and the good ones all count."""
    good = [flush_of(0, number)[0] for number in range(4)]
    value = good[1].value or b""
    rubbish = [
        damaged(good[1], b"no frame", sequence="101"),
        damaged(good[1], value[: len(value) // 2], sequence="102"),
        damaged(good[1], b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little"), sequence="103"),  # claims 1 TiB
        damaged(good[1], schema="telemetry.cpu/9", sequence="104"),
        damaged(good[1], sequence="minus one"),
        damaged(good[1], producer=""),
        message([Row("web", 0, 1.0)], "future", 1, 0, time_ms=NOW + HOUR),
        message([Row("web", 0, 1.0)], "ancient", 1, 0, time_ms=NOW - 401 * 24 * HOUR),
        message([Row("web", -401 * 24 * HOUR, 1.0), Row("web", MINUTE, 1.0)], "old-row", 1, 0, time_ms=T0),
        message([Row("huge", MINUTE, 5000.0)], "impossible", 1, 0),
        good[0],  # again
        damaged(good[3], sequence="8"),
        damaged(good[3], sequence="7"),
        message([Row("daemon-0", -5 * HOUR, 1.0)], "late", 1, 0),
    ]
    send(log, [*good, *rubbish, *flush_of(0, 8)])
    running = Running(log)
    wait_until_done(log)
    running.stop()
    reasons = Counter(letter.headers["reason"] for letter in read(log, DEAD_LETTERS))
    assert reasons == {
        "malformed": 3,
        "truncated": 1,
        "oversized": 1,
        "unknown-schema": 1,
        "future": 1,
        "ancient": 2,
        "out-of-range": 1,
        "duplicate": 1,
        "out-of-order": 1,
        "late": 1,
    }
    rows = int.from_bytes(profiles(log)[workload("web-0-0")]["rows"], "little")
    assert rows == 10 * (4 + 1 + 1)  # four good ones, number 8 with the rows of the fourth, and number 9


def test_state_that_cannot_be_read_is_named_and_the_stage_goes_on(log: EventLog) -> None:
    """Junk in place of a slab: a dead letter, and profiles from then on."""
    writer = log.writer()
    cover = Message("cover", b'{"next_offset":0,"producers":{}}', {"schema": "cover/1"}, partition=0)
    writer.append(PROFILES, [Message("slab/0", b"junk", {"schema": "profile/1"}, partition=0), cover])
    writer.flush(10)
    writer.close()
    send(log, flush_of(0, 0))
    running = Running(log)
    wait_until_done(log)
    running.stop()
    (letter,) = read(log, DEAD_LETTERS)
    assert (letter.key, letter.headers["reason"]) == ("profiles", "malformed")
    assert workload("daemon-0") in profiles(log)


def test_a_slab_as_read_is_the_state(log: EventLog) -> None:
    """What the profiles stream holds is all there is: decoded columns have every field of the table."""
    send(log, flush_of(0, 0))
    running = Running(log)
    wait_until_done(log)
    running.stop()
    assert set(next(iter(profiles(log).values()))) == {field.name for field in PROFILE_FIELDS}
