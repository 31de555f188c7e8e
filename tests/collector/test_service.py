"""The collector's loop: its schedule, its flushes, and sources that fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

import pytest

from collector import service
from collector.outbox import OutboxError
from collector.publisher import Flush
from collector.service import MAX_PENDING_ROWS, Collector
from collector.settings import CollectorSettings
from collector.source import Moment, Reading, SourceError
from models.events import WorkloadEvent
from models.inventory import Node
from models.telemetry import TelemetryBatch
from tests.collector.metered import CountingMeter


@dataclass
class Clock:
    """A clock that only moves when somebody waits; stops the loop at `end_ms`. It is both `now` and `stop`."""

    end_ms: int
    ms: float = 0

    def now(self) -> Moment:
        return Moment(1_700_000_000_000 + round(self.ms), round(self.ms))

    def wait(self, timeout: float | None = None) -> bool:
        self.ms += (timeout or 0) * 1000
        return self.is_set()

    def is_set(self) -> bool:
        return self.ms >= self.end_ms


@dataclass
class Scripted:
    """A source that takes `cost_ms` for each read and fails in the reads named."""

    name: str
    clock: Clock
    cost_ms: float = 0
    fails: frozenset[int] = frozenset()
    rows: int = 1
    reads: list[int] = field(default_factory=list)

    def read(self, now: Moment) -> Reading:
        self.reads.append(now.steady_ms)
        self.clock.ms += self.cost_ms
        if len(self.reads) in self.fails:
            raise SourceError(f"{self.name} is broken")
        batch = TelemetryBatch(
            "cpu", {"workload": ["w"] * self.rows, "instance": ["i"] * self.rows}, [1] * self.rows, [1] * self.rows
        )
        node = Node("c", "n1", now.wall_ms, cpu_cores=2.0)
        return Reading([batch], [WorkloadEvent("started", "w", "i", "n1", now.wall_ms)], node)

    def state(self) -> bytes:
        return str(len(self.reads)).encode()

    def restore(self, state: bytes, now: Moment) -> None:
        self.reads = [0] * int(state)

    def close(self) -> None: ...


@dataclass
class Kept:
    """A sink that keeps flushes, and refuses the first `refusals`."""

    refusals: int = 0
    flushes: list[Flush] = field(default_factory=list)
    states: list[Mapping[str, bytes]] = field(default_factory=list)

    def put(self, flush: Flush, state: Mapping[str, bytes]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OutboxError("the disk is full")
        self.flushes.append(flush)
        self.states.append(state)


def run(
    clock: Clock, sources: list[Scripted], sink: Kept, meter: CountingMeter | None = None, flush_s: float = 10
) -> Collector:
    settings = CollectorSettings(interval_s=1, flush_interval_s=flush_s)
    collector = Collector(sources, sink, settings, meter or CountingMeter(), clock.now, clock.wait)
    collector.run(clock)
    return collector


def test_reads_keep_to_the_second_however_long_each_takes() -> None:
    """300 ms a read: still at 0, 1000, 2000 ms; the waits are 700 ms."""
    clock = Clock(5000)
    source = Scripted("a", clock, cost_ms=300)
    run(clock, [source], Kept())
    assert source.reads == [0, 1000, 2000, 3000, 4000]


def test_a_read_that_is_missed_is_left_out() -> None:
    """2.5 s a read: the next one is at the next whole second, and there is no burst to catch up."""
    clock = Clock(9000)
    source = Scripted("a", clock, cost_ms=2500)
    run(clock, [source], Kept())
    assert source.reads == [0, 3000, 6000]


def test_a_flush_holds_what_was_read_since_the_one_before() -> None:
    """At 10 s eleven reads, at 20 s ten more, and the rest at the end; the state is that of its newest read."""
    clock, sink = Clock(25_000), Kept()
    run(clock, [Scripted("a", clock)], sink)
    assert [len(flush.batches) for flush in sink.flushes] == [11, 10, 4]
    assert [state["source/a"] for state in sink.states] == [b"11", b"21", b"25"]


def test_a_source_that_fails_is_counted_and_asked_again_later_while_others_go_on() -> None:
    """Three failures in a row: asked again after 1, 2 and 4 s; the other source misses nothing."""
    clock, sink, meter = Clock(12_000), Kept(), CountingMeter()
    bad, good = Scripted("bad", clock, fails=frozenset({1, 2, 3})), Scripted("good", clock)
    run(clock, [bad, good], sink, meter)
    assert bad.reads == [0, 1000, 3000, 7000, 8000, 9000, 10_000, 11_000]
    assert good.reads == list(range(0, 12_000, 1000))
    assert meter.counts["sizewise_collector_source_errors_total"] == 3


def test_a_failing_source_is_in_the_coverage_of_the_node() -> None:
    """With its error as the reason, until it answers again."""
    clock, sink = Clock(5000), Kept()
    run(clock, [Scripted("bad", clock, fails=frozenset(range(1, 99))), Scripted("good", clock)], sink)
    (node,) = sink.flushes[0].nodes
    assert [(c.source, c.seen, c.reason) for c in node.coverage] == [("bad", False, "bad is broken")]


def test_a_bug_in_a_source_stops_no_other() -> None:
    """Any exception is handled as a failure of that source."""
    clock = Clock(3000)
    good = Scripted("good", clock)
    broken = Scripted("broken", clock)
    broken.read = lambda now: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    run(clock, [broken, good], Kept())
    assert good.reads == [0, 1000, 2000]


def test_an_unchanged_node_is_published_once_in_ten_minutes() -> None:
    clock, sink = Clock(700_000), Kept()
    run(clock, [Scripted("a", clock)], sink)
    assert sum(len(flush.nodes) for flush in sink.flushes) == 2


def test_what_the_disk_refuses_is_kept_and_handed_over_next_time() -> None:
    """The flush at 10 s was refused: the one at 20 s holds all 21 reads, and the events of all of them."""
    clock, sink = Clock(20_500), Kept(refusals=1)
    run(clock, [Scripted("a", clock)], sink)
    assert len(sink.flushes[0].batches) == len(sink.flushes[0].events) == 21


def test_a_disk_that_stays_full_bounds_memory_and_counts_what_goes() -> None:
    """20,000 rows a second for 20 s are more than may wait: the oldest reads go."""
    clock, sink, meter = Clock(20_500), Kept(refusals=9), CountingMeter()
    run(clock, [Scripted("a", clock, rows=20_000)], sink, meter, flush_s=2)
    kept = sum(len(batch) for batch in sink.flushes[0].batches)
    assert kept <= MAX_PENDING_ROWS + 2 * 20_000
    assert meter.counts["sizewise_outbox_dropped_messages_total"] > 0


def test_saved_state_is_handed_to_its_source() -> None:
    clock = Clock(0)
    source = Scripted("a", clock)
    collector = Collector([source], Kept(), CollectorSettings(), CountingMeter(), clock.now, clock.wait)
    collector.restore({"source/a": b"7"}.get)
    assert len(source.reads) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interval_s": 0.01}, "interval_s is 0.01"),
        ({"flush_interval_s": 0.5}, "flush_interval_s is 0.5"),
        ({"outbox_max_bytes": 10}, "outbox_max_bytes is 10"),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, float], message: str) -> None:
    """The error names the field and its value."""
    with pytest.raises(ValueError, match=message):
        CollectorSettings(**change)  # type: ignore[arg-type]


def test_who_is_held_up_between_the_clocks_reads_them_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty milliseconds pass between the two in the first reading, so the second one counts: 40 ms steady, 1,040 of day."""
    steady_ns = iter(accumulate((0, 40_000_000, 0, 300)))
    day_ns = iter((1_000_000_000, 1_040_000_000))
    monkeypatch.setattr(service.time, "clock_gettime_ns", lambda clock: next(steady_ns))
    monkeypatch.setattr(service.time, "time_ns", lambda: next(day_ns))
    assert service.moment() == Moment(1040, 40)
