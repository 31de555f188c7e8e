"""The import: forward in time over all workloads, a span at a time, the next one being fetched while one is written.

A profiler refuses rows over an hour older than a workload's newest, and a kill must neither lose nor repeat a row, so
a span is complete, in the outbox and remembered before the next is begun.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from collector.outbox import Addressed, Outbox
from collector.prometheus import inventory, queries
from collector.prometheus.answer import Series
from collector.prometheus.autoscalers import autoscaled
from collector.prometheus.containers import ContainerRows
from collector.prometheus.facts import FactReader, Facts, PodKey, container_key, oom_times
from collector.prometheus.gpus import GpuRows
from collector.prometheus.groups import Timelines
from collector.prometheus.machines import Machines
from collector.prometheus.queries import Newest, Wanted
from collector.prometheus.rows import RowMessages, Workloads
from collector.prometheus.sample_table import Keep
from collector.prometheus.settings import ImportSettings
from collector.prometheus.timeline import USUAL_S, Span
from collector.publisher import Flush, messages
from collector.source import Stop
from models.inventory import Node
from models.metrics import Meter

_LOGGER = logging.getLogger(__name__)

STATE = "import-prometheus"
SOURCE = "prometheus"
_FIRST_SPAN_S = 900.0
_SHORTEST_SPAN_S = 300.0
_SERIES_PER_QUERY = 50_000
_FULL_SHARE = 0.5
"""The import waits while the outbox is this full: as fast as the log takes it, and nothing is dropped."""
_WAIT_S = 0.05
_HOUR_S = 3600.0
_FACTS_S = 10_800.0
"""Owners, requests and limits are asked for three hours at a time: each time costs as much as the samples of an hour."""
_CHUNKED_FACTS_S = 604_800.0
"""A week at a time where chunks tell how they changed meanwhile."""
_FACTS_AGE_S = 300.0
"""They may be this much older than a span's end: `follow` asks no more often, but for new pods."""
_LOOK_AGAIN_S = 600.0
"""`follow` asks this often which metrics and machines there are."""

Progress = Callable[[int, int, int], None]
"""Told after each span: milliseconds of history done and to do, rows so far."""


class Server(Protocol):
    """What the import asks of `collector.prometheus.client`."""

    def names(self, start_s: float, end_s: float) -> Sequence[str]: ...

    @property
    def chunked(self) -> bool: ...

    def range(
        self, selector: str, start_s: float, end_s: float, step_s: float = 0.0, keep: Keep = "newest"
    ) -> Sequence[Series]: ...

    def newest(self, wanted: Newest, start_s: float, end_s: float) -> Sequence[Series]: ...

    def labels(self, wanted: Newest, start_s: float, end_s: float) -> Sequence[Series]: ...

    def instant(self, query: str, time_s: float) -> Sequence[Series]: ...


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
        self._partitions, self._workloads = partitions, Workloads(partitions)
        self._outbox, self._room = outbox, round(outbox_max_bytes * _FULL_SHARE)
        self._containers = ContainerRows(settings.cluster)
        self._gpus = GpuRows(settings.cluster)
        self._machines = Machines(settings.cluster)
        self._span_s = _FIRST_SPAN_S
        self._names: frozenset[str] = frozenset()
        self._wanted: Sequence[Wanted] = ()
        self._nodes: Sequence[Node] = ()
        """Machines that are not published yet."""
        self._look_again_s = 0.0
        self._reader = FactReader()
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
            asked: _Asked | None = None
            while self.position.next_ms < until_ms and self._may_go_on(stop):
                asked = asked or self._ask(pool, self.position.next_ms / 1000, until_ms / 1000)
                more = asked.end_s * 1000 < until_ms
                following = self._ask(pool, asked.end_s, until_ms / 1000) if more else None
                self._take(asked)
                asked = following
                since_ms = self.position.since_ms
                self._progress(self.position.next_ms - since_ms, until_ms - since_ms, self.rows)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _look(self, start_s: float, end_s: float) -> None:
        """Learn which metrics and machines there are, and split what has very many series; not each time anew."""
        if end_s < self._look_again_s:
            return
        self._look_again_s = end_s + _LOOK_AGAIN_S
        self._names = frozenset(self._server.names(min(start_s, end_s - 3600), end_s))
        self._wanted = queries.wanted(self._names, self._settings)
        containers = next((one for one in self._wanted if one.system == "cadvisor"), None)
        if containers is not None:
            counted = self._server.instant(f"count by (namespace) ({containers.selector})", end_s)
            by_namespace = {one.labels().get("namespace", ""): one.number() for one in counted}
            shards = queries.shards_of(by_namespace, _SERIES_PER_QUERY)
            self._wanted = queries.wanted(self._names, self._settings, shards)
        _LOGGER.info("%d metrics are known there, %d queries take a span", len(self._names), len(self._wanted))
        self._nodes = self._inventory(end_s)

    def _inventory(self, at_s: float) -> Sequence[Node]:
        asked = inventory.questions(self._names, self._settings.match)
        answers = {metric: self._server.instant(query, at_s) for metric, query in asked.items()}
        return inventory.nodes(answers, self._names, self._settings.cluster, round(at_s * 1000))

    def _may_go_on(self, stop: Stop) -> bool:
        while not stop.is_set():
            if self._outbox.size_bytes <= self._room:
                return True
            stop.wait(_WAIT_S)
        return False

    def _ask(self, pool: ThreadPoolExecutor, start_s: float, limit_s: float) -> _Asked:
        """Send off what a span needs."""
        end_s = min(_end(start_s, self._span_s), limit_s)
        samples = {one: pool.submit(self._samples, one, start_s, end_s) for one in self._wanted}
        facts = None
        if end_s > self._facts_until_s + (0.0 if end_s < limit_s else _FACTS_AGE_S):
            facts_s = _CHUNKED_FACTS_S if self._server.chunked else _FACTS_S
            self._facts_until_s = min(max(start_s + facts_s, end_s) + _FACTS_AGE_S, limit_s)
            facts = pool.submit(self._ask_facts, start_s, self._facts_until_s)
        ooms = pool.submit(self._ooms, start_s, end_s) if queries.OOM_REASON in self._names else None
        return _Asked(start_s, end_s, samples, facts, ooms)

    def _ask_facts(self, start_s: float, end_s: float) -> Facts:
        """What holds at the end of this time, of every pod that was there in it or five minutes before."""
        begin_s, match, server = start_s - self._settings.lead_s, self._settings.match, self._server
        sizes = {
            name: server.newest(queries.size_selector(name, match), begin_s, end_s)
            for name in (*queries.SIZES, *queries.OLD_SIZES)
            if name in self._names
        }
        owners = {
            name: server.labels(queries.owner_selector(name, match), begin_s, end_s)
            for name in (*queries.OWNERS, *queries.AUTOSCALERS)
            if name in self._names
        }
        return Facts(self._reader.owners(owners), self._reader.sizes(sizes), autoscaled=autoscaled(owners))

    def _samples(self, wanted: Wanted, start_s: float, end_s: float) -> Sequence[Series]:
        begin_s = start_s - self._settings.lead_s
        step_s = self._settings.step_s if wanted.keep else 0.0
        return self._server.range(wanted.selector, begin_s, end_s, step_s, wanted.keep or "newest")

    def _ooms(self, start_s: float, end_s: float) -> tuple[Sequence[Series], Sequence[Series]]:
        """Series of containers that were OOM-killed, and of their restarts. The second question is small."""
        match = self._settings.match
        reasons = self._server.range(queries.oom_selector(match), start_s - self._settings.lead_s, end_s)
        keys = (container_key(series.labels()) for series in reasons)
        pods = {key[2] for key in keys if key is not None}
        if not pods or queries.RESTARTS not in self._names:
            return reasons, ()
        return reasons, self._server.range(
            queries.restarts_selector(pods, match), start_s - self._settings.lead_s, end_s
        )

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
        if queries.OWNERS[0] in self._names:
            unknown = self._containers.pods(answers) - self._facts.owners.keys()
            if not unknown <= self._nobodys:
                self._facts = self._ask_facts(asked.start_s, max(asked.end_s, self._facts_until_s))
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
        wanted = self._settings.chunked_samples if self._server.chunked else self._settings.answer_samples
        factor = min(wanted / max(samples, 1), 4.0)
        self._span_s = min(max(self._span_s * factor, _SHORTEST_SPAN_S), self._settings.longest_s)


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
