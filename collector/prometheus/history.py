"""The import: forward in time over all workloads, a span at a time, the next ones being fetched while one is written.

A profiler refuses rows over an hour older than a workload's newest, and a kill must neither lose nor repeat a row, so
a span is complete, in the outbox and remembered before the next is begun.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import msgspec

from collector.outbox import Addressed, Outbox
from collector.prometheus import queries
from collector.prometheus.answer import Series
from collector.prometheus.containers import ContainerRows
from collector.prometheus.facts import Facts, PodKey, oom_times
from collector.prometheus.gpus import GpuRows
from collector.prometheus.groups import Timelines
from collector.prometheus.machines import Machines
from collector.prometheus.queries import Wanted
from collector.prometheus.questions import FACTS_AGE_S, Questions, Server
from collector.prometheus.rows import RowMessages, Workloads
from collector.prometheus.settings import ImportSettings
from collector.prometheus.timeline import USUAL_S, Span
from collector.publisher import Flush, messages
from collector.source import Stop
from models.inventory import Node
from models.metrics import Meter

_LOGGER = logging.getLogger(__name__)

STATE = "import-prometheus"
SOURCE = "prometheus"
_FIRST_SPAN_S = 3600.0
"""Where the server does not say how many containers there are now."""
_FREQUENT_S = 15.0
"""Samples that often are taken for granted until some were seen."""
_SHORTEST_SPAN_S = 300.0
_SERIES_PER_QUERY = 50_000
_FULL_SHARE = 0.5
"""The import waits while the outbox is this full: as fast as the log takes it, and nothing is dropped."""
_WAIT_S = 0.05
_AHEAD = 2
"""Spans that are fetched while one is written, so that neither waits for the other."""
_HOUR_S = 3600.0
_LOOK_AGAIN_S = 600.0
"""`follow` asks this often which metrics and machines there are."""

Progress = Callable[[int, int, int], None]
"""Told after each span: milliseconds of history done and to do, rows so far."""


class Position(msgspec.Struct):
    """How far an import is. what: server and matchers; since_ms: where it began; next_ms: where it goes on."""

    what: str
    since_ms: int
    next_ms: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """A span of time and the answers that are on their way."""

    start_s: float
    end_s: float
    samples: Mapping[Wanted, Future[Sequence[Series]]]
    facts: Future[Facts] | None
    """None: those of the span before still hold."""
    facts_until_s: float
    ooms: Future[tuple[Sequence[Series], Sequence[Series]]] | None


class History:
    """One import into one outbox. Used by one thread; asks from several."""

    def __init__(
        self,
        server: Server,
        settings: ImportSettings,
        outbox: Outbox,
        partitions: int,
        outbox_max_bytes: int,
        meter: Meter,
        position: Position,
        progress: Progress = lambda done_ms, total_ms, rows: None,
    ) -> None:
        self._server, self._settings, self._meter, self._progress = server, settings, meter, progress
        self._questions = Questions(server, settings)
        self._partitions, self._workloads = partitions, Workloads(partitions)
        self._outbox, self._room = outbox, round(outbox_max_bytes * _FULL_SHARE)
        self._containers = ContainerRows(settings.cluster)
        self._gpus = GpuRows(settings.cluster)
        self._machines = Machines(settings.cluster)
        self._span_s = _FIRST_SPAN_S
        self._wanted: Sequence[Wanted] = ()
        self._nodes: Sequence[Node] = ()
        """Machines that are not published yet."""
        self._look_again_s = 0.0
        self._facts = Facts()
        self._facts_until_s = 0.0
        self._nobodys: Set[PodKey] = frozenset()
        """Pods of the span before of which nothing is known."""
        self.position = position
        """How far it is; what is before is in the outbox or the log."""
        self.rows = 0

    def run(self, until_ms: int, stop: Stop) -> None:
        """Import (position.next_ms, until_ms], or as far as it comes until stopped.

        Raises SourceError when the server refuses, OutboxError; what was done is remembered."""
        if self.position.next_ms >= until_ms:
            return
        self._look(self.position.next_ms / 1000, until_ms / 1000)
        pool = ThreadPoolExecutor(self._settings.workers, thread_name_prefix="import")
        try:
            asked: deque[_Asked] = deque()
            while self.position.next_ms < until_ms and self._may_go_on(stop):
                self._ask_ahead(asked, pool, until_ms / 1000)
                self._take(asked.popleft())
                since_ms = self.position.since_ms
                self._progress(self.position.next_ms - since_ms, until_ms - since_ms, self.rows)
        except BaseException:
            self._facts_until_s = 0.0  # those that were on their way are lost
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _look(self, start_s: float, end_s: float) -> None:
        """Learn which metrics and machines there are, and split what has very many series; not each time anew."""
        if end_s < self._look_again_s:
            return
        first, self._look_again_s = not self._look_again_s, end_s + _LOOK_AGAIN_S
        self._questions.names = names = frozenset(self._server.names(min(start_s, end_s - 3600), end_s))
        self._wanted = queries.wanted(names, self._settings)
        containers = next((one for one in self._wanted if one.system == "cadvisor"), None)
        if containers is not None:
            by_namespace = self._questions.containers(containers.selector, end_s)
            shards = queries.shards_of(by_namespace, _SERIES_PER_QUERY)
            if first and by_namespace:
                self._span_s = self._fitting_s(sum(by_namespace.values()) / _FREQUENT_S)
            self._wanted = queries.wanted(names, self._settings, shards)
        _LOGGER.info("%d metrics are known there, %d queries take a span", len(names), len(self._wanted))
        self._nodes = self._questions.nodes(end_s)

    def _may_go_on(self, stop: Stop) -> bool:
        while not stop.is_set():
            if self._outbox.size_bytes <= self._room:
                return True
            stop.wait(_WAIT_S)
        return False

    def _ask_ahead(self, asked: deque[_Asked], pool: ThreadPoolExecutor, limit_s: float) -> None:
        """Send off what the next spans need."""
        while len(asked) <= _AHEAD:
            start_s = asked[-1].end_s if asked else self.position.next_ms / 1000
            if start_s >= limit_s:
                break
            asked.append(self._ask(pool, start_s, limit_s))

    def _ask(self, pool: ThreadPoolExecutor, start_s: float, limit_s: float) -> _Asked:
        """Send off what a span needs."""
        end_s = min(_end(start_s, self._span_s), limit_s)
        samples = {one: pool.submit(self._questions.samples, one, start_s, end_s) for one in self._wanted}
        facts = None
        if end_s > self._facts_until_s + (0.0 if end_s < limit_s else FACTS_AGE_S):
            self._facts_until_s = min(max(self._questions.facts_end_s(start_s, limit_s), end_s) + FACTS_AGE_S, limit_s)
            facts = pool.submit(self._questions.facts, start_s, self._facts_until_s)
        ooms = (
            pool.submit(self._questions.ooms, start_s, end_s) if queries.OOM_REASON in self._questions.names else None
        )
        return _Asked(start_s, end_s, samples, facts, self._facts_until_s, ooms)

    def _take(self, asked: _Asked) -> None:
        """Answers of a span into the outbox, with the position after it."""
        answers: dict[str, list[Series]] = {}
        for wanted, future in asked.samples.items():
            answers.setdefault(wanted.metric, []).extend(future.result())
        facts = self._facts_of(asked, answers)
        out = self._rows(answers, facts, asked)
        position = Position(self.position.what, self.position.since_ms, round(asked.end_s * 1000))
        self._outbox.put(out, {STATE: msgspec.json.encode(position)})
        self.position = position
        self._adapt(max((_samples(future.result()) for future in asked.samples.values()), default=0))

    def _facts_of(self, asked: _Asked, answers: Mapping[str, Sequence[Series]]) -> Facts:
        """What is known of the pods of a span. One that appeared since the facts were asked for makes them be asked for
        anew, or its name would be a guess until then; once, as there may be pods that are nobody's."""
        self._facts = asked.facts.result() if asked.facts else self._facts
        if queries.OWNERS[0] in self._questions.names:
            unknown = self._containers.pods(answers) - self._facts.owners.keys()
            if asked.end_s > asked.facts_until_s and not unknown <= self._nobodys:
                self._facts = self._questions.facts(asked.start_s, asked.end_s)
            self._nobodys = unknown
        reasons, restarts = asked.ooms.result() if asked.ooms else ((), ())
        return replace(
            self._facts, ooms=oom_times(reasons, restarts, round(asked.start_s * 1000)), known=asked.ooms is not None
        )

    def _rows(self, answers: Mapping[str, Sequence[Series]], facts: Facts, asked: _Asked) -> list[Addressed]:
        out = RowMessages(self._outbox.producer, self._workloads)
        timelines = Timelines(self._span(asked))
        by_system = {
            system: dict(_of(system, self._wanted, answers)) for system in ("cadvisor", "dcgm", "node-exporter")
        }
        events = self._containers.add(by_system["cadvisor"], facts, timelines, out)
        self._gpus.add(by_system["dcgm"], facts, timelines, out)
        self._machines.add(by_system["node-exporter"], self._containers.machines, timelines, out)
        self.rows += out.rows
        self._meter.count("sizewise_collector_rows_total", out.rows, source=SOURCE)
        clamped = self._containers.take_clamped() + self._gpus.take_clamped()
        self._meter.count("sizewise_collector_clamped_values_total", clamped, source=SOURCE)
        nodes, self._nodes = self._nodes, ()
        flush = Flush(round(asked.end_s * 1000), (), events, nodes)
        return [*out.take(), *messages(flush, self._outbox.producer, self._partitions)]

    def _span(self, asked: _Asked) -> Span:
        own = self._settings
        seconds = asked.start_s, asked.end_s, own.gap_s, own.step_s or USUAL_S
        after_ms, until_ms, gap_ms, usual_ms = (round(each * 1000) for each in seconds)
        return Span(after_ms, until_ms, gap_ms, usual_ms)

    def _adapt(self, samples: int) -> None:
        """The next span as long as makes the largest answer what it should be; at most four times this one."""
        self._span_s = min(self._fitting_s(samples / self._span_s), 4 * self._span_s)

    def _fitting_s(self, samples_per_s: float) -> float:
        """The span of which an answer has as many samples as it should."""
        wanted = self._settings.chunked_samples if self._server.chunked else self._settings.answer_samples
        return min(max(wanted / max(samples_per_s, 1e-9), _SHORTEST_SPAN_S), self._settings.longest_s)


def _of(
    system: str, wanted: Sequence[Wanted], answers: Mapping[str, Sequence[Series]]
) -> Iterator[tuple[str, Sequence[Series]]]:
    names = {one.metric for one in wanted if one.system == system}
    return ((name, series) for name, series in answers.items() if name in names)


def _end(start_s: float, span_s: float) -> float:
    """The end of a span, just before a full hour where one is near: profilers work by hours."""
    hours = (start_s + span_s) // _HOUR_S * _HOUR_S - 0.001
    return hours if hours - start_s >= 0.5 * span_s else start_s + span_s


def _samples(series: Sequence[Series]) -> int:
    return sum(len(one.time_ms) for one in series)
