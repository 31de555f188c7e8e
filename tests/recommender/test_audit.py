"""The audit trail: what is written is in the log; a reporter is never held up, and what is lost is counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from models.audit import AuditEntry
from models.metrics import NullMeter
from recommender.audit import AuditTrail
from stream.contract import EventLog, LogUnavailableError, Message
from stream.json_codec import decode_json
from stream.read_all import read_all
from stream.sqlite_log.log import SqliteLog
from stream.streams import AUDIT, stream_specs


class Counting(NullMeter):
    """Counts by metric and decision."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        super().count(name, amount, **labels)
        self.seen[name.removeprefix("sizewise_audit_"), labels["decision"]] += int(amount)


class Away:
    """A log whose writer fails the first `failures` flushes."""

    def __init__(self, failures: int) -> None:
        self.failures, self.written = failures, list[Message]()
        self.held: list[Message] = []
        self.tried = threading.Event()

    def writer(self) -> Away:
        return self

    def append(self, stream: str, messages: Sequence[Message]) -> None:
        assert stream == AUDIT
        self.held = list(messages)

    def flush(self, timeout_s: float) -> None:
        self.tried.set()
        if self.failures:
            self.failures -= 1
            raise LogUnavailableError("no broker answers")
        self.written += self.held

    def close(self) -> None:
        pass


def entry(number: int = 0, decision: str = "denied", **more: str) -> AuditEntry:
    return AuditEntry(1_000 + number, "anonymous", "read", decision, "no-token", **more)  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    made = SqliteLog(tmp_path / "log.db")
    made.ensure(stream_specs(1))
    yield made
    made.close()


def ended() -> threading.Event:
    stop = threading.Event()
    stop.set()
    return stop


def test_entries_reach_the_log_in_order_and_whole(log: EventLog) -> None:
    """1,200 entries are three batches of at most 500; each reads back as it was written."""
    meter = Counting()
    trail = AuditTrail(meter)
    written = [entry(n, "applied", namespace="prod/shop", object=f"pod-{n}") for n in range(1_200)]
    for one in written:
        trail.write(one)
    trail.run(log, ended())
    records = list(read_all(log, AUDIT, 0))
    assert [decode_json(r.value, AuditEntry) for r in records] == written
    assert {(r.key, r.headers["schema"], r.time_ms - 1_000) for r in records} == {
        ("prod/shop", "audit/1", n) for n in range(1_200)
    }
    assert meter.seen == {("entries_total", "applied"): 1_200}


def test_a_full_queue_drops_and_counts_and_keeps_room_for_what_was_applied(log: EventLog) -> None:
    """Of a queue of 10, denials take at most 5; 5 changes still fit; the sixth is dropped. 20 - 5 denials are lost."""
    meter = Counting()
    trail = AuditTrail(meter, queue_entries=10)
    for n in range(20):
        trail.write(entry(n))
    for n in range(6):
        trail.write(entry(n, "applied"))
    trail.run(log, ended())
    kinds = Counter(decode_json(r.value, AuditEntry).decision for r in read_all(log, AUDIT, 0))
    assert kinds == {"denied": 5, "applied": 5}
    assert meter.seen["dropped_entries_total", "denied"] == 15
    assert meter.seen["dropped_entries_total", "applied"] == 1


def test_a_log_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two flushes fail; the third carries the same entry, once."""
    monkeypatch.setattr("recommender.audit._RETRY_S", 0.001)
    log, trail, stop = Away(failures=2), AuditTrail(Counting()), threading.Event()
    trail.write(entry(object="GET /v1/workloads"))
    thread = threading.Thread(target=trail.run, args=(cast(EventLog, log), stop))
    thread.start()
    assert log.tried.wait(10)
    while not log.written:
        assert thread.is_alive()
        time.sleep(0.001)
    stop.set()
    thread.join(10)
    assert [decode_json(m.value, AuditEntry).object for m in log.written] == ["GET /v1/workloads"]


def test_told_to_stop_while_the_log_is_away_it_counts_what_it_loses() -> None:
    meter = Counting()
    trail = AuditTrail(meter)
    trail.write(entry())
    trail.run(cast(EventLog, Away(failures=10)), ended())
    assert meter.seen["dropped_entries_total", "denied"] == 1


def test_told_to_stop_it_asks_a_log_that_is_away_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five entries wait, two to a batch: three batches, one flush, nine left of the ten that would fail."""
    monkeypatch.setattr("recommender.audit._BATCH", 2)
    meter, log = Counting(), Away(failures=10)
    trail = AuditTrail(meter)
    for number in range(5):
        trail.write(entry(number))
    trail.run(cast(EventLog, log), ended())
    assert (log.failures, meter.seen["dropped_entries_total", "denied"]) == (9, 5)


def test_hostile_text_is_cut_and_written(log: EventLog) -> None:
    """A lone surrogate and a megabyte of path do not keep an entry out: 500 characters are kept, `?` stands for the rest."""
    trail = AuditTrail(Counting())
    trail.write(entry(object="/\ud800" + "x" * 2_000_000, request_id="\udfff"))
    trail.run(log, ended())
    (record,) = read_all(log, AUDIT, 0)
    found = decode_json(record.value, AuditEntry)
    assert found.object == "/?" + "x" * 498
    assert found.request_id == "?"
