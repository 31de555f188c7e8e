"""What a server is asked about a span of history. Called from several threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from collector.prometheus import inventory, queries
from collector.prometheus.answer import Series
from collector.prometheus.autoscalers import autoscaled
from collector.prometheus.facts import FactReader, Facts, container_key
from collector.prometheus.queries import Newest, Wanted
from collector.prometheus.sample_table import Keep
from collector.prometheus.settings import ImportSettings
from models.inventory import Node

_FACTS_S = 10_800.0
"""Owners, requests and limits are asked for three hours at a time: each time costs as much as the samples of an hour."""
_CHUNKED_FACTS_S = 604_800.0
"""A week at a time where chunks tell how they changed meanwhile, and what is left where that is half as much more."""
FACTS_AGE_S = 300.0
"""They may be this much older than a span's end: `follow` asks no more often, but for new pods."""


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


class Questions:
    """Questions to one server; `names` are the metrics that it has."""

    def __init__(self, server: Server, settings: ImportSettings) -> None:
        self._server, self._settings, self._reader = server, settings, FactReader()
        self.names: frozenset[str] = frozenset()

    def containers(self, selector: str, at_s: float) -> dict[str, float]:
        """How many series of containers each namespace has at this time."""
        counted = self._server.instant(f"count by (namespace) ({selector})", at_s)
        return {one.labels().get("namespace", ""): one.number() for one in counted}

    def nodes(self, at_s: float) -> Sequence[Node]:
        asked = inventory.questions(self.names, self._settings.match)
        answers = {metric: self._server.instant(query, at_s) for metric, query in asked.items()}
        return inventory.nodes(answers, self.names, self._settings.cluster, round(at_s * 1000))

    def facts_end_s(self, start_s: float, limit_s: float) -> float:
        """How far facts from `start_s` on are to be asked for at once."""
        if not self._server.chunked:
            return start_s + _FACTS_S
        return limit_s if limit_s - start_s <= 1.5 * _CHUNKED_FACTS_S else start_s + _CHUNKED_FACTS_S

    def facts(self, start_s: float, end_s: float) -> Facts:
        """What holds at the end of this time, of every pod that was there in it or had a sample shortly before: its own
        samples may have ended earlier than those of its usage."""
        begin_s = start_s - self._settings.lead_s - self._settings.step_s - FACTS_AGE_S
        match, server = self._settings.match, self._server
        sizes = {
            name: server.newest(queries.size_selector(name, match), begin_s, end_s)
            for name in (*queries.SIZES, *queries.OLD_SIZES)
            if name in self.names
        }
        owners = {
            name: server.labels(queries.owner_selector(name, match), begin_s, end_s)
            for name in (*queries.OWNERS, *queries.AUTOSCALERS)
            if name in self.names
        }
        return Facts(self._reader.owners(owners), self._reader.sizes(sizes), autoscaled=autoscaled(owners))

    def samples(self, wanted: Wanted, start_s: float, end_s: float) -> Sequence[Series]:
        begin_s = start_s - self._settings.lead_s
        step_s = self._settings.step_s if wanted.keep else 0.0
        return self._server.range(wanted.selector, begin_s, end_s, step_s, wanted.keep or "newest")

    def ooms(self, start_s: float, end_s: float) -> tuple[Sequence[Series], Sequence[Series]]:
        """Series of containers that were OOM-killed, and of their restarts. The second question is small."""
        match = self._settings.match
        reasons = self._server.range(queries.oom_selector(match), start_s - self._settings.lead_s, end_s)
        keys = (container_key(series.labels()) for series in reasons)
        pods = {key[2] for key in keys if key is not None}
        if not pods or queries.RESTARTS not in self.names:
            return reasons, ()
        return reasons, self._server.range(
            queries.restarts_selector(pods, match), start_s - self._settings.lead_s, end_s
        )
