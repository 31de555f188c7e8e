"""The collector: asks every source at a fixed rate and hands what they found to a sink, flush by flush."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from collector.nodes import joined
from collector.outbox import Outbox, OutboxError
from collector.publisher import Flush, messages
from collector.settings import CollectorSettings
from collector.source import Moment, Reading, Source, Stop
from models.events import WorkloadEvent
from models.inventory import NODE_REPEAT_MS, Coverage, Node
from models.metrics import Meter
from models.telemetry import TelemetryBatch

_LOGGER = logging.getLogger(__name__)

MAX_PENDING_ROWS = 50_000
"""Rows kept in memory while the outbox's disk refuses them: about four minutes of 200 workloads, 15 MB."""


class Sink(Protocol):
    """Where flushes go: an outbox, a recording."""

    def put(self, flush: Flush, state: Mapping[str, bytes]) -> None:
        """Keep a flush and what the sources must remember, all or nothing. Raises OutboxError when it cannot."""


class OutboxSink:
    """Encodes flushes into the outbox."""

    def __init__(self, outbox: Outbox, partitions: Callable[[], int]) -> None:
        """`partitions` says how many the telemetry stream has; asked at each flush, as it may grow."""
        self._outbox, self._partitions = outbox, partitions

    def put(self, flush: Flush, state: Mapping[str, bytes]) -> None:
        self._outbox.put(messages(flush, self._outbox.producer, self._partitions()), state)


class Tee:
    """The outbox, and a copy of the same flushes in a recording. The copy failing does not stop the collector."""

    def __init__(self, sink: Sink, copy: Sink) -> None:
        self._sink, self._copy = sink, copy

    def put(self, flush: Flush, state: Mapping[str, bytes]) -> None:
        self._sink.put(flush, state)
        try:
            self._copy.put(flush, state)
        except OutboxError as error:
            _LOGGER.error("the recording misses a flush: %s", error)


@dataclass(slots=True)
class _Asked:
    """A source and when it may be asked again."""

    source: Source
    failures: int = 0
    not_before_ms: int = 0
    error: str = ""


def moment() -> Moment:
    """Now, on both clocks, of which a span's end is told by one and its length by the other: spans would overlap by as much
    as passes between the readings, so whoever is held up there reads again."""
    for _ in range(_MOST_READINGS):
        before_ns, wall_ns, after_ns = time.clock_gettime_ns(_STEADY), time.time_ns(), time.clock_gettime_ns(_STEADY)
        if after_ns - before_ns < _TOGETHER_NS:
            break
    return Moment(wall_ns // 1_000_000, before_ns // 1_000_000)


_STEADY = time.CLOCK_BOOTTIME
_TOGETHER_NS, _MOST_READINGS = 100_000, 10
"""Reading takes 300 ns; a tenth of a millisecond is lost in the rounding."""


class Collector:
    """Reads sources, gathers rows, flushes. Used by one thread."""

    def __init__(
        self,
        sources: Sequence[Source],
        sink: Sink,
        settings: CollectorSettings,
        meter: Meter,
        now: Callable[[], Moment] = moment,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """`wait(seconds)` pauses and may return early, as Event.wait does when the process is to stop."""
        self._sources = [_Asked(source) for source in sources]
        self._sink, self._settings, self._meter = sink, settings, meter
        self._now, self._wait = now, wait
        self._batches: list[TelemetryBatch] = []
        self._events: list[WorkloadEvent] = []
        self._nodes: dict[str, dict[str, Node]] = {}
        """By the node's name, and by the source that told of it."""
        self._published: dict[str, Node] = {}

    def restore(self, state: Callable[[str], bytes | None]) -> None:
        """Hand each source what an earlier process saved for it."""
        for asked in self._sources:
            saved = state(_state_name(asked.source))
            if saved is not None:
                asked.source.restore(saved, self._now())

    def run(self, stop: Stop) -> None:
        """Read every interval_s and flush every flush_interval_s until stopped; then flush what is left.

        The times are multiples of the interval from the start, so reads do not drift; one that is missed is left out.
        """
        for asked in self._sources:  # there from the start, so that rate() sees the first
            self._meter.count("sizewise_collector_source_errors_total", 0, source=asked.source.name)
            self._meter.count("sizewise_collector_clamped_values_total", 0, source=asked.source.name)
        interval_ms = round(self._settings.interval_s * 1000)
        flush_ms = round(self._settings.flush_interval_s * 1000)
        start = self._now().steady_ms
        next_read, next_flush = start, start + flush_ms
        while not stop.is_set():
            now = self._now()
            if now.steady_ms < next_read:
                self._wait((next_read - now.steady_ms) / 1000)
                continue
            self.read(now)
            if now.steady_ms >= next_flush:
                self.flush(now)
                next_flush = _next_multiple(start, flush_ms, now.steady_ms)
            next_read = _next_multiple(start, interval_ms, self._now().steady_ms)
        self.flush(self._now())
        for asked in self._sources:
            asked.source.close()

    def read(self, now: Moment) -> None:
        """Ask each source that is not in its pause."""
        for asked in self._sources:
            if now.steady_ms >= asked.not_before_ms:
                self._ask(asked, now)

    def flush(self, now: Moment) -> None:
        """Hand everything gathered to the sinks. What they refuse stays, up to a bound, and is handed over next time."""
        flush = Flush(now.wall_ms, tuple(self._batches), tuple(self._events), tuple(self._changed_nodes(now)))
        state = {_state_name(asked.source): asked.source.state() for asked in self._sources}
        try:
            self._sink.put(flush, state)
        except OutboxError as error:
            _LOGGER.error("a flush could not be written and is tried again: %s", error)
            self._shed()
            return
        self._batches, self._events = [], []
        self._published |= {node.name: node for node in flush.nodes}

    def _ask(self, asked: _Asked, now: Moment) -> None:
        source = asked.source
        started = time.perf_counter()
        try:
            reading = source.read(now)
        except Exception as error:  # whatever is wrong with one source, the others go on
            self._failed(asked, error, now)
            return
        self._meter.observe("sizewise_collector_read_seconds", time.perf_counter() - started, source=source.name)
        if asked.failures:
            _LOGGER.info("source %s answers again", source.name)
        asked.failures, asked.error = 0, ""
        self._gather(source.name, reading)

    def _failed(self, asked: _Asked, error: Exception, now: Moment) -> None:
        self._meter.count("sizewise_collector_source_errors_total", source=asked.source.name)
        pause_s = min(self._settings.interval_s * 2.0 ** min(asked.failures, 20), self._settings.source_backoff_max_s)
        asked.failures, asked.error = asked.failures + 1, str(error)
        asked.not_before_ms = now.steady_ms + round(pause_s * 1000)
        _LOGGER.warning("source %s failed and is asked again in %.0f s: %s", asked.source.name, pause_s, error)
        _LOGGER.debug("source %s failed here", asked.source.name, exc_info=error)

    def _gather(self, source: str, reading: Reading) -> None:
        self._batches += (batch for batch in reading.batches if len(batch))
        self._events += reading.events
        self._meter.count("sizewise_collector_rows_total", sum(map(len, reading.batches)), source=source)
        workloads = {workload for batch in reading.batches for workload in batch.keys["workload"]}
        self._meter.gauge("sizewise_collector_workloads", len(workloads), source=source)
        if reading.node is not None:
            self._nodes.setdefault(reading.node.name, {})[source] = reading.node
            for seen in reading.node.coverage:
                self._meter.gauge(
                    "sizewise_collector_signal_seen", float(seen.seen), source=seen.source, signal=seen.signal
                )

    def _changed_nodes(self, now: Moment) -> list[Node]:
        """The nodes that differ from what was published last, or were published long ago."""
        failed = tuple(
            Coverage(asked.source.name, "*", seen=False, reason=asked.error) for asked in self._sources if asked.error
        )
        changed = []
        for name, parts in self._nodes.items():
            node = joined(list(parts.values()))
            node = replace(node, coverage=(*node.coverage, *failed))
            before = self._published.get(name)
            due = before is None or now.wall_ms - before.time_ms >= NODE_REPEAT_MS
            if due or replace(node, time_ms=0) != replace(before, time_ms=0):  # type: ignore[type-var]
                changed.append(replace(node, time_ms=now.wall_ms))
        return changed

    def _shed(self) -> None:
        rows = sum(map(len, self._batches))
        while self._batches and rows > MAX_PENDING_ROWS:
            rows -= len(self._batches.pop(0))
            self._meter.count("sizewise_outbox_dropped_messages_total")


def _state_name(source: Source) -> str:
    return f"source/{source.name}"


def _next_multiple(start: int, step: int, now: int) -> int:
    """The first start + k * step that is after `now`."""
    return start + ((now - start) // step + 1) * step
