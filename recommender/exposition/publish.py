"""Keeps the fleet's series ready: one thread makes them from the newest snapshot, requests take the bytes."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from models.columns import Array
from models.fleet_metrics import FLEET_CATALOGUE
from models.metrics import Meter
from recommender.exposition import advice, bottlenecks, counts, market, money, workloads
from recommender.exposition.advice import LOOKED_AT_PER_PASS, Advisor
from recommender.exposition.holdings import Holding, holdings
from recommender.exposition.namespaces import Namespaces, namespace_series
from recommender.exposition.nodes import gpu_series, node_series
from recommender.exposition.per_node import PerNode
from recommender.exposition.settings import ExpositionSettings
from recommender.exposition.stake import exported
from recommender.exposition.text import Exposition
from recommender.exposition.workloads import Told
from recommender.mig.choose import SlicePolicy
from recommender.placement.inventory import room_of
from recommender.view import Snapshot, View

PACK_LEVEL = 1
"""17.7 MB of 2,000 workloads become 1.7 MB in 0.04 s; level 6 takes twice as long for a seventh less."""


class Ready(NamedTuple):
    """What to add to /metrics: plain, and as a gzip member of its own, which may follow others."""

    text: bytes
    packed: bytes


class FleetSeries:
    """`ready` is what to add to /metrics now: empty until the first snapshot was read."""

    def __init__(
        self,
        view: View,
        settings: ExpositionSettings,
        policy: SlicePolicy,
        meter: Meter,
        now: Callable[[], float],
        advice_per_pass: int = LOOKED_AT_PER_PASS,
    ) -> None:
        """`now` in seconds, for the time that a making takes."""
        self._view, self._settings, self._meter, self._now = view, settings, meter, now
        self._advisor = Advisor(policy, advice_per_pass)
        self._rooms, self._coverage = PerNode(room_of), PerNode(counts.coverage_of)
        self._told: pa.Array | None = None
        self._made_of: Snapshot | None = None
        self.ready = Ready(b"", b"")

    @property
    def behind(self) -> bool:
        """Whether advice of some workloads is left for the next pass."""
        return self._advisor.behind

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.refresh()
            stop.wait(self._settings.interval_ms / 1000)

    def refresh(self) -> None:
        """Make the series anew when there is a newer snapshot, or advice still to be looked at."""
        snapshot = self._view.snapshot
        newer = snapshot is not self._made_of or self.behind
        if newer and (len(snapshot) or snapshot.nodes):
            began = self._now()
            text, self._made_of = self.make(snapshot), snapshot
            self.ready = Ready(text, gzip.compress(text, PACK_LEVEL, mtime=0))
            self._meter.observe("sizewise_fleet_series_seconds", max(0.0, self._now() - began))

    def make(self, snapshot: Snapshot) -> bytes:
        out = Exposition(FLEET_CATALOGUE)
        places = exported(snapshot, self._settings.workloads_limit, self._told)
        told, held = Told.of(snapshot, places), holdings(snapshot.nodes)
        self._told = snapshot.names["id"].take(places).combine_chunks()
        workloads.sizes(told, out)
        workloads.verdicts(told, out)
        workloads.health(told, out)
        bottlenecks.bottlenecks(told, out)
        bottlenecks.gpu_time(told, out)
        self._nodes_and_advice(told, held, out)
        self._totals(snapshot, places, held, out)
        out.single("sizewise_fleet_timestamp_seconds", snapshot.newest_ms / 1000)
        return out.text()

    def _nodes_and_advice(self, told: Told, held: list[Holding], out: Exposition) -> None:
        rooms = list(self._rooms.of(told.snapshot.nodes).values())
        rooms.sort(key=lambda room: room.name)
        first = {holding.workload: holding.held for holding in reversed(held)}
        found, offered = self._advisor.of(told, first), market.offers(rooms)
        gpus_held(told, held, out)
        advice.gpu_signals(told, found, out)
        advice.mig_advice(told, found, out)
        market.suited_series(told, found, offered, out)
        market.price_series(offered, out)
        node_series(rooms, self._settings.nodes_limit, out)
        gpu_series(rooms, held, self._settings.gpus_limit, out)

    def _totals(self, snapshot: Snapshot, places: Array, held: list[Holding], out: Exposition) -> None:
        spaces, limit = Namespaces.of(snapshot), self._settings.namespaces_limit
        prices = money.core_prices(snapshot.nodes.values())
        namespace_series(snapshot, spaces, held, prices, limit, out)
        counts.not_exported(spaces, places, limit, out)
        counts.workload_counts(snapshot, out)
        counts.missing_signals(snapshot, out)
        counts.coverage(self._coverage.of(snapshot.nodes).values(), out)


def gpus_held(told: Told, held: list[Holding], out: Exposition) -> None:
    """GPUs that each told workload holds; those that no node names hold none that is known."""
    total: dict[str, float] = {}
    for holding in held:
        total[holding.workload] = total.get(holding.workload, 0.0) + holding.share
    ids = told.snapshot.names["id"].take(told.places).to_pylist()
    values = np.array([total.get(workload, np.nan) for workload in ids], dtype=np.float64)
    out.add("sizewise_workload_gpus_held", told.labels, values)
