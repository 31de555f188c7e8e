"""The consume loop: every message counts once, whatever happens to the log, the group or the message."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import pytest

from models.metrics import NullMeter
from stream.consume import MAX_DEAD_LETTER_BYTES, Consumer, ConsumeSettings
from stream.contract import EventLog, FencedError, LogUnavailableError, Message, PartitionListener, Record, Subscription
from stream.dead_letters import BadMessageError, Reason
from stream.json_codec import decode_json, encode_json
from stream.streams import DEAD_LETTERS, PROFILES, TELEMETRY, stream_specs

PARTITIONS = 3
QUICK = ConsumeSettings(
    commit_interval_s=0.05, poll_timeout_s=0.02, max_records=7, back_off_s=0.01, max_back_off_s=0.02
)


@dataclass
class Total:
    """The state of one partition: how many messages, and the sum of their numbers."""

    next_offset: int = 0
    count: int = 0
    total: int = 0


@dataclass
class Adder:
    """A stage that adds up the numbers in messages and saves the sum beside the offset that it covers."""

    log: EventLog
    name: str = "adder"
    stream: str = TELEMETRY
    group: str = "adders"
    totals: dict[int, Total] = field(default_factory=dict)
    seen: int = 0
    after_each: Callable[[int], None] = lambda seen: None

    def assigned(self, partition: int) -> int | None:
        saved = newest(self.log, PROFILES, partition)
        self.totals[partition] = Total() if saved is None else decode_json(saved.value, Total)
        return None if saved is None else self.totals[partition].next_offset

    def dropped(self, partition: int) -> None:
        del self.totals[partition]

    def process(self, record: Record) -> None:
        if record.value is None or not record.value.isdigit():
            raise BadMessageError(Reason.MALFORMED, f"value {record.value!r} is no number")
        total = self.totals[record.partition]
        total.count += 1
        total.total += int(record.value)
        self.seen += 1
        self.after_each(self.seen)

    def checkpoint(self, offsets: Mapping[int, int]) -> Mapping[str, Sequence[Message]]:
        saved = []
        for partition, offset in offsets.items():
            self.totals[partition].next_offset = offset
            saved.append(Message("cover", encode_json(self.totals[partition]), partition=partition))
        return {PROFILES: saved}


def read_all(log: EventLog, stream: str, partition: int) -> list[Record]:
    reader = log.reader(stream, {partition: log.offsets(stream)[partition][0]})
    records: list[Record] = []
    while not reader.caught_up():
        records.extend(reader.poll(0.5))
    reader.close()
    return records


def newest(log: EventLog, stream: str, partition: int) -> Record | None:
    records = read_all(log, stream, partition)
    return records[-1] if records else None


def saved(log: EventLog) -> tuple[int, int]:
    """Messages and sum over all partitions, as committed."""
    totals = [decode_json(r.value, Total) for p in range(PARTITIONS) if (r := newest(log, PROFILES, p))]
    return sum(t.count for t in totals), sum(t.total for t in totals)


def send(log: EventLog, values: Sequence[bytes]) -> None:
    writer = log.writer()
    writer.append(TELEMETRY, [Message("n", value, partition=i % PARTITIONS) for i, value in enumerate(values)])
    writer.flush(10)
    writer.close()


def numbers(n: int, start: int = 0) -> list[bytes]:
    return [b"%d" % i for i in range(start, start + n)]


def run_until(log: EventLog, messages: int, meter: Any = None, settings: ConsumeSettings = QUICK) -> Adder:
    """A consumer that stops after so many messages."""
    stop = Event()
    stage = Adder(log, after_each=lambda seen: stop.set() if seen >= messages else None)
    Consumer(log, stage, settings, meter or NullMeter(), time.monotonic).run(stop)
    return stage


@pytest.fixture(autouse=True)
def streams(log: EventLog) -> None:
    log.ensure(stream_specs(PARTITIONS))


def test_every_message_counts_once(log: EventLog) -> None:
    """0 + 1 + ... + 99 = 4950, saved when the stage stops, with the offsets of all partitions at their ends."""
    send(log, numbers(100))
    run_until(log, 100)
    assert saved(log) == (100, 4950)
    ends = {p: end for p, (_, end) in log.offsets(TELEMETRY).items()}
    assert log.committed("adders", TELEMETRY) == ends


def test_a_second_life_goes_on_where_the_first_ended(log: EventLog) -> None:
    """Stopped after 40 and started again: the sum is that of all 100."""
    send(log, numbers(100))
    first = run_until(log, 40)
    second = run_until(log, 100 - first.seen)
    assert first.seen + second.seen == 100
    assert saved(log) == (100, 4950)


def test_a_bad_message_goes_to_the_dead_letters_and_the_stage_goes_on(log: EventLog) -> None:
    """One of seven is no number: six are added up, and the seventh is kept as it came, with where and why."""
    send(log, [*numbers(3), b"x", *numbers(3, 3)])
    run_until(log, 6)
    assert saved(log) == (6, 15)
    (letter,) = read_all(log, DEAD_LETTERS, 0)
    assert (letter.key, letter.value) == (TELEMETRY, b"x")
    assert letter.headers == {
        "reason": "malformed",
        "detail": "value b'x' is no number",
        "stream": "telemetry",
        "partition": "0",
        "offset": "1",
    }


@dataclass
class FailingLog:
    """The real log, whose next commits fail: `before` anything was written, or `after` all of it was."""

    inner: EventLog
    failures: list[tuple[str, Exception]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def subscribe(self, group: str, stream: str, listener: PartitionListener) -> Subscription:
        inner = self.inner.subscribe(group, stream, listener)
        return _FailingSubscription(inner, self.failures)  # type: ignore[return-value]


@dataclass
class _FailingSubscription:
    inner: Subscription
    failures: list[tuple[str, Exception]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def commit(self, offsets: Mapping[int, int], appends: Mapping[str, Sequence[Message]] | None = None) -> None:
        when, error = self.failures.pop(0) if self.failures else ("never", None)
        if when != "before":
            self.inner.commit(offsets, appends)
        if error:
            raise error


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [LogUnavailableError("away"), FencedError("gone")])
def test_a_commit_that_failed_is_neither_lost_nor_doubled(log: EventLog, when: str, error: Exception) -> None:
    """Three commits fail, some after they were written in truth. The stage restores what was committed each time: the
    sum and the one dead letter are those of an undisturbed run."""
    failing = FailingLog(log, [(when, error)] * 3)
    send(log, [*numbers(50), b"x", *numbers(50, 50)])
    stop = Event()
    stage = Adder(failing)  # type: ignore[arg-type]
    thread = threading.Thread(
        target=lambda: Consumer(failing, stage, QUICK, NullMeter(), time.monotonic).run(stop)  # type: ignore[arg-type]
    )
    thread.start()
    wait_for(lambda: saved(log) == (100, 4950))
    stop.set()
    thread.join()
    assert saved(log) == (100, 4950)
    assert len(read_all(log, DEAD_LETTERS, 0)) == 1


def wait_for(done: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline, "did not come to pass"
        time.sleep(0.2)


def test_members_that_come_and_go_lose_and_double_nothing(log: EventLog) -> None:
    """Two join a third one by one while messages come, and leave again in another order."""
    stops = [Event() for _ in range(3)]
    threads = [
        threading.Thread(target=Consumer(log, Adder(log), QUICK, NullMeter(), time.monotonic).run, args=(stop,))
        for stop in stops
    ]
    for i, thread in enumerate(threads):
        thread.start()
        send(log, numbers(60, 60 * i))
        time.sleep(0.2)
    for i in (1, 0):
        stops[i].set()
        threads[i].join()
        send(log, numbers(60, 240 - 60 * i))
    wait_for(lambda: saved(log)[0] >= 300)
    stops[2].set()
    threads[2].join()
    assert saved(log) == (300, sum(range(300)))


def test_a_flood_of_dead_letters_is_committed_early(log: EventLog) -> None:
    """With a commit interval of an hour, 6 * 900 KB of bad messages do not wait for it: 4 MiB are the bound."""
    send(log, [b"x" * 900_000] * 6 + numbers(1))
    stop = Event()
    patient = ConsumeSettings(commit_interval_s=3600, poll_timeout_s=0.02, max_records=1)
    consumer = Consumer(log, Adder(log), patient, NullMeter(), time.monotonic)
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    wait_for(lambda: len(read_all(log, DEAD_LETTERS, 0)) >= MAX_DEAD_LETTER_BYTES // 900_000)
    stop.set()
    thread.join()
    assert len(read_all(log, DEAD_LETTERS, 0)) == 6


def test_what_is_done_is_committed_early_when_nothing_more_comes(log: EventLog) -> None:
    """The interval is an hour, of which a millionth has to pass: 30 numbers are saved while the loop goes on. While the
    clock stands still no part of the interval has passed, and nothing is."""
    send(log, numbers(30))
    patient = ConsumeSettings(commit_interval_s=3600, poll_timeout_s=0.02, quiet_share=1e-6)
    stop, time_s = Event(), [0.0]
    stage = Adder(log)
    thread = threading.Thread(target=Consumer(log, stage, patient, NullMeter(), lambda: time_s[0]).run, args=(stop,))
    thread.start()
    wait_for(lambda: stage.seen == 30)
    assert saved(log) == (0, 0)
    time_s[0] = 1.0
    wait_for(lambda: saved(log) == (30, sum(range(30))))
    stop.set()
    thread.join()


class Recorder(NullMeter):
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, ...], float] = {}
        self.gauges: dict[tuple[str, ...], float] = {}

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        super().count(name, amount, **labels)
        self.counts[name, *labels.values()] = self.counts.get((name, *labels.values()), 0) + amount

    def gauge(self, name: str, value: float, **labels: str) -> None:
        super().gauge(name, value, **labels)
        self.gauges[name, *labels.values()] = value


def test_the_loop_reports_what_it_took_and_what_waits(log: EventLog) -> None:
    """8 messages taken, one of them dead; nothing waits; after the stop no partition is owned."""
    send(log, [*numbers(7), b"x"])
    meter = Recorder()
    stop = Event()
    thread = threading.Thread(target=Consumer(log, Adder(log), QUICK, meter, time.monotonic).run, args=(stop,))
    thread.start()
    taken = ("sizewise_stage_records_total", "adder", "telemetry")
    lag = ("sizewise_stage_lag_messages", "adder", "telemetry")
    wait_for(lambda: meter.counts.get(taken) == 8 and meter.gauges.get(lag) == 0)
    assert meter.gauges["sizewise_stage_partitions", "adder"] == PARTITIONS
    stop.set()
    thread.join()
    assert meter.counts["sizewise_stage_dead_letters_total", "adder", "malformed"] == 1
    assert meter.gauges["sizewise_stage_partitions", "adder"] == 0


def test_an_error_of_the_stage_ends_it_and_commits_nothing(log: EventLog) -> None:
    """A bug is not hidden by starting over: the error comes out, and what was in doubt is not saved."""
    send(log, numbers(9))

    def fail(seen: int) -> None:
        if seen == 5:
            raise RuntimeError("bug")

    consumer = Consumer(log, Adder(log, after_each=fail), ConsumeSettings(3600), NullMeter(), time.monotonic)
    with pytest.raises(RuntimeError, match="bug"):
        consumer.run(Event())
    assert saved(log) == (0, 0)
