"""From the outbox into the log: in order, once, whoever is away or killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from collector.outbox import Addressed, Outbox
from collector.replay import Pace
from collector.run import SenderFailedError, collect, record, replay
from collector.sender import Sender
from collector.settings import CollectorSettings
from deploy.services.kafka import KafkaBroker
from models.metrics import NullMeter
from stream.contract import EventLog, LogUnavailableError, Message, Writer
from stream.open import open_log
from stream.routing import check_sizes
from stream.settings import KafkaSettings, LogSettings
from stream.streams import EVENTS, TELEMETRY, stream_specs
from tests.collector.conftest import PARTITIONS
from tests.collector.counting import WORKLOADS, Spans, delivered, spans
from tests.collector.killing import log_of
from tests.collector.metered import CountingMeter

MIB = 1 << 20
SETTINGS = CollectorSettings(send_backoff_s=0.01, send_backoff_max_s=0.02)


class AwayWriter:
    """A writer of a real log that can be cut off: before anything of a flush was written, or after all of it was."""

    def __init__(self, writer: Writer, away: list[str]) -> None:
        self._writer, self._away = writer, away
        self._held: list[tuple[str, Sequence[Message]]] = []

    def append(self, stream: str, messages: Sequence[Message]) -> None:
        check_sizes(stream, messages, MIB)
        self._held.append((stream, messages))

    def flush(self, timeout_s: float) -> None:
        how = self._away.pop(0) if self._away else ""
        held, self._held = self._held, []
        if how == "before":
            raise LogUnavailableError("the broker is away")
        for stream, messages in held:
            self._writer.append(stream, messages)
        self._writer.flush(timeout_s)
        if how == "after":
            raise LogUnavailableError("written, but the confirmation was lost")

    def close(self) -> None:
        self._writer.close()


def put(outbox: Outbox, count: int) -> None:
    outbox.put([Addressed(EVENTS, Message("k", str(i).encode(), {}, 0, 0)) for i in range(count)])


def sender(outbox: Outbox, log: EventLog, away: list[str], meter: NullMeter | None = None) -> Sender:
    def open_writer() -> Writer:
        return AwayWriter(log.writer(), away)

    return Sender(outbox, open_writer, SETTINGS, meter or NullMeter(), wait=lambda seconds: None)


def test_messages_arrive_in_order_and_are_forgotten(tmp_path: Path, log: EventLog) -> None:
    meter = CountingMeter()
    with Outbox(tmp_path / "o.db", MIB, meter) as outbox:
        put(outbox, 500)
        assert sender(outbox, log, [], meter).drain()
        assert [r.value for r in delivered(log, EVENTS)] == [str(i).encode() for i in range(500)]
        assert len(outbox) == 0
    assert meter.counts["sizewise_outbox_sent_messages_total"] == 500


@pytest.mark.parametrize("how", ["before", "after"])
def test_what_was_not_confirmed_goes_out_again_with_the_same_numbers(tmp_path: Path, log: EventLog, how: str) -> None:
    """Whether the log had it or not, a reader sees every message once."""
    with Outbox(tmp_path / "o.db", MIB, NullMeter()) as outbox:
        put(outbox, 10)
        carrier = sender(outbox, log, [how])
        with pytest.raises(LogUnavailableError):
            carrier.send()
        assert len(outbox) == 10
        assert carrier.drain()
    assert [r.value for r in delivered(log, EVENTS)] == [str(i).encode() for i in range(10)]


def test_a_log_that_is_away_fills_the_outbox_up_to_its_bound(tmp_path: Path, log: EventLog) -> None:
    """While away nothing is lost under the bound; over it the oldest are, and what is left arrives afterwards."""
    meter = CountingMeter()
    with Outbox(tmp_path / "o.db", MIB, meter) as outbox:
        carrier = sender(outbox, log, ["before"] * 20)
        for i in range(20):
            outbox.put([Addressed(EVENTS, Message("k", bytes([i]) * 100_000, {}, 0, 0))])
            with pytest.raises(LogUnavailableError):
                carrier.send()
        assert carrier.drain()
    kept = [r.value[0] for r in delivered(log, EVENTS) if r.value]
    assert kept == list(range(10, 20))
    assert meter.counts["sizewise_outbox_dropped_messages_total"] == 10


def test_a_message_the_log_refuses_is_dropped_and_the_next_ones_go(tmp_path: Path, log: EventLog) -> None:
    """Over the stream's bound of 1 MiB it can never be sent: counted, and not in the way."""
    meter = CountingMeter()
    with Outbox(tmp_path / "o.db", 8 * MIB, meter) as outbox:
        outbox.put([Addressed(EVENTS, Message("k", bytes(2 * MIB), {}, 0, 0))])
        put(outbox, 1)
        assert sender(outbox, log, []).drain()
    assert [r.value for r in delivered(log, EVENTS)] == [b"0"]
    assert meter.counts["sizewise_outbox_dropped_messages_total"] == 1


def test_collecting_while_the_log_comes_and_goes_loses_nothing(tmp_path: Path, log: EventLog) -> None:
    """Spans of all workloads join without a gap, although every third confirmation failed."""
    away = ["", "before", "after"] * 20
    flaky = _Flaky(log, away)
    _collect_for(1.5, lambda: flaky, tmp_path)
    _assert_joined(log, at_least=8)


def test_without_a_first_word_from_the_log_nothing_is_collected(tmp_path: Path) -> None:
    """The number of partitions is not known: no row would have an address. Stopping ends the wait."""

    def never() -> EventLog:
        raise LogUnavailableError("no broker at kafka:9092")

    _collect_for(0.3, never, tmp_path)
    with Outbox(tmp_path / "outbox.db", MIB, NullMeter()) as outbox:
        assert len(outbox) == 0


def test_once_reached_a_log_need_not_be_there_at_the_start(tmp_path: Path, log: EventLog) -> None:
    """The partitions are remembered: a node that boots while the log is away collects, and delivers later."""
    _collect_for(0.5, lambda: log, tmp_path)
    before = len(delivered(log))

    def away() -> EventLog:
        raise LogUnavailableError("no broker at kafka:9092")

    _collect_for(0.6, away, tmp_path)
    assert len(delivered(log)) == before
    _collect_for(0.5, lambda: log, tmp_path)
    _assert_joined(log, at_least=10)


def test_a_sender_that_dies_ends_the_collector(tmp_path: Path, log: EventLog) -> None:
    """An outbox that nobody empties must not fill up in silence."""

    class Broken:
        partitions = log.partitions

        def writer(self) -> Writer:
            if len(calls := self.calls) == 1:
                raise RuntimeError("a bug")
            calls.append(1)
            return log.writer()

        calls: list[int] = []  # noqa: RUF012  # one instance only

    with pytest.raises(SenderFailedError, match="a bug"):
        _collect_for(5, Broken, tmp_path)


def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path, log: EventLog) -> None:
    """40 kills: the spans of all that was delivered join without a gap or an overlap."""
    _kill("collect", tmp_path, kills=40)
    _assert_joined(log, at_least=20)


def test_a_killed_replay_delivers_what_an_undisturbed_one_does(tmp_path: Path, log: EventLog) -> None:
    """40 kills: the same messages with the same numbers, byte for byte, as in one go."""
    _record_for(3.0, tmp_path / "recording.db")
    (tmp_path / "once").mkdir()
    calm = log_of(tmp_path / "once")
    calm.ensure(stream_specs(PARTITIONS))
    at_once = CollectorSettings(outbox=str(tmp_path / "once" / "outbox.db"))
    go = threading.Event()
    assert replay(tmp_path / "recording.db", lambda: calm, at_once, NullMeter(), go, pace=Pace(None))
    _kill("replay", tmp_path, kills=40)
    for stream in (TELEMETRY, EVENTS):
        kept, want = (
            [
                (r.partition, r.value, r.time_ms, r.headers["schema"], r.headers["sequence"])
                for r in delivered(where, stream)
            ]
            for where in (log, calm)
        )
        assert kept == want
        assert kept
    calm.close()


def test_a_broker_that_is_stopped_while_collecting_gets_everything_afterwards(
    tmp_path: Path, kafka_broker: KafkaBroker
) -> None:
    """A real broker, gone for some seconds: the outbox holds what was read and delivers it when the broker is back."""
    settings = LogSettings(f"kafka:{kafka_broker.bootstrap}", kafka=KafkaSettings(topic_prefix=f"c{tmp_path.name}."))
    opened = open_log(settings)
    opened.ensure(stream_specs(PARTITIONS))
    stop = threading.Event()
    own = CollectorSettings(
        outbox=str(tmp_path / "outbox.db"), interval_s=0.1, flush_interval_s=0.2, send_timeout_s=2, send_backoff_max_s=1
    )
    run = threading.Thread(target=collect, args=(lambda: opened, own, NullMeter(), stop), kwargs={"sources": [Spans()]})
    run.start()
    try:
        stop.wait(2)
        kafka_broker.stop()
        stop.wait(4)
    finally:
        kafka_broker.start()
        stop.wait(4)
        stop.set()
        run.join()
    _assert_joined(opened, at_least=50)
    opened.close()


class _Flaky:
    """A real log whose writers are cut off now and then."""

    def __init__(self, log: EventLog, away: list[str]) -> None:
        self._log, self._away = log, away
        self.partitions = log.partitions

    def writer(self) -> AwayWriter:
        return AwayWriter(self._log.writer(), self._away)


def _collect_for(seconds: float, open_it: object, folder: Path) -> None:
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    try:
        own = CollectorSettings(
            outbox=str(folder / "outbox.db"), interval_s=0.1, flush_interval_s=0.1, send_backoff_s=0.01
        )
        collect(open_it, own, NullMeter(), stop, sources=[Spans()])  # type: ignore[arg-type]
    finally:
        timer.cancel()


def _record_for(seconds: float, file: Path) -> None:
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    own = CollectorSettings(interval_s=0.1, flush_interval_s=0.1)
    record(file, own, NullMeter(), stop, sources=[Spans()])


def _kill(kind: str, folder: Path, kills: int) -> None:
    command = [sys.executable, "-m", "tests.collector.killing", kind, str(folder), str(kills), "7"]
    subprocess.run(command, check=True, timeout=120)


def _assert_joined(log: EventLog, at_least: int) -> None:
    found = spans(delivered(log))
    assert set(found) == set(WORKLOADS)
    for rows in found.values():
        assert len(rows) >= at_least
        assert [end for _, end in rows[:-1]] == [begin for begin, _ in rows[1:]], _gaps(rows)


def _gaps(rows: list[tuple[int, int]]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    return [(a, b) for a, b in pairwise(rows) if a[1] != b[0]]
