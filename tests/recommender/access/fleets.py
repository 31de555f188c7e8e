"""Fleets of two tenants, and the same fleets with the other tenant gone or replaced; an API that asks who is there."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from starlette.testclient import TestClient

from models.events import WorkloadEvent
from models.inventory import Allocation, Gpu, MigInstance, Node
from models.metrics import NullMeter
from models.reasons import Action
from models.token import ApiToken
from recommender.access.book import TokenBook
from recommender.access.guard import Guard
from recommender.access.scope import Scope
from recommender.access.seal import Sealer
from recommender.access.token import new_token
from recommender.api.app import create_app
from recommender.api.settings import ApiSettings
from recommender.audit import AuditTrail
from recommender.changes import PartitionChanges, SlabChanges
from recommender.view import Slab, SlabKey, Snapshot, View
from tests.recommender.view_columns import DAY_MS, GIB, slab

NOW_MS = 20_000 * DAY_MS
OURS = (
    "prod/shop/Deployment/cart/server",
    "prod/shop/Job/train/main",
    "prod/shop/StatefulSet/db/pg",
    "prod/till/Job/a/b",
)
THEIRS = (
    "prod/bank/Deployment/cart/server",
    "prod/bank/Job/a/b",
    "lab/shop/Job/train/main",
    "prod/shop2/Job/x/y",
    "foreign",
)
MINE = ("prod/shop", "prod/till")
GPUS = ("g0", "g1", "g2", "g3")


@dataclass(frozen=True, slots=True)
class Facts:
    """One workload: whether it is decided on, how much it uses, and whether it had a GPU. Few values, so that ties occur."""

    id: str
    level: int
    gpu: bool


@dataclass(frozen=True, slots=True)
class Held:
    """What an instance holds: of node 0 or 1."""

    workload: str
    node: int
    instance: str
    cpu: float | None
    memory: int | None
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fleet:
    """rows: in order of first appearance. slab_rows: how many to a slab."""

    rows: Sequence[Facts]
    held: Sequence[Held]
    events: Sequence[WorkloadEvent]
    slab_rows: int = 3
    newest_ms: int = NOW_MS
    reported_ms: int = 1

    def without(self, *others: str, **kept: Any) -> Fleet:
        """The fleet as if these workloads had never been."""
        return replace(
            self,
            rows=[row for row in self.rows if row.id not in others],
            held=[held for held in self.held if held.workload not in others],
            events=[event for event in self.events if event.workload not in others],
            **kept,
        )

    def snapshot(self) -> Snapshot:
        parts = [self.rows[i : i + self.slab_rows] for i in range(0, len(self.rows), self.slab_rows)]
        slabs = {(n % 2, f"slab/{n}"): _slab(part) for n, part in enumerate(parts)}
        nodes = {node.cluster + "/" + node.name: node for node in (self._node(n) for n in range(3))}
        return Snapshot(slabs, nodes, tuple(self.events), self.newest_ms, _changes(slabs, self.newest_ms))

    def _node(self, number: int) -> Node:
        """Nodes 0 and 1 of prod have GPUs, of which the last is cut by MIG; node 2 is of the other cluster."""
        uuids = [f"n{number}-{gpu}" for gpu in GPUS]
        mig = tuple(MigInstance(f"{uuids[3]}/{n}", "3g.40gb", 4 * n) for n in range(2))
        cards = [Gpu(uuid, "NVIDIA A100-SXM4-80GB", 80 * 2**30) for uuid in uuids]
        cards[3] = replace(cards[3], mig_enabled=True, mig=mig)
        held = tuple(
            Allocation(h.workload, h.instance, h.cpu, h.memory, h.gpus, image=f"registry/{h.workload}", command="run")
            for h in self.held
            if h.node == number
        )
        cluster = "lab" if number == 2 else "prod"
        return Node(
            cluster, f"n{number}", self.reported_ms, "", 64.0, 2**38, gpus=tuple(cards), allocations=held, zone="z"
        )


def _changes(slabs: Mapping[SlabKey, Slab], first: int) -> dict[int, PartitionChanges]:
    """As if each slab had been written once, one after another, from offset `first` on."""
    told: dict[int, dict[str, SlabChanges]] = {0: {}, 1: {}}
    for offset, ((partition, key), part) in enumerate(slabs.items(), first):
        rows = np.full(len(part.ids), offset)
        told[partition][key] = SlabChanges(offset, list(part.ids), rows, rows)
    end = first + len(slabs)
    return {partition: PartitionChanges(end, 0, parts, {}) for partition, parts in told.items()}


def _slab(rows: Sequence[Facts]) -> Any:
    level = np.array([row.level for row in rows], dtype=np.float64)
    gpu = np.array([row.gpu for row in rows])
    both = np.stack([level, level * GIB], axis=1)
    action = np.where(level > 1, Action.LOWER, np.where(level > 0, Action.RAISE, Action.INSUFFICIENT))
    return slab(
        [row.id for row in rows],
        profile={
            "newest_day": 19_999,
            "covered_ms": 3_600_000 * (1 + level),
            "last_seen_ms": NOW_MS - 1000,
            "gpu_last_seen_ms": np.where(gpu, NOW_MS - 500, 0),
            "gpu_covered_ms": np.where(gpu, 3_600_000, 0),
            "gpu_count": gpu.astype(int),
        },
        action=np.stack([action, action], axis=1),
        request_now=3 * both,
        target=both,
        usage_p95=both,
        computed_ms=np.where(level > 0, NOW_MS - 2000, 0),
    )


def _rows(draw: st.DrawFn) -> list[Facts]:
    ids = draw(st.permutations(OURS + THEIRS))
    kept = draw(st.lists(st.sampled_from(ids), unique=True, max_size=len(ids)))
    return [Facts(workload, draw(st.integers(0, 2)), draw(st.booleans())) for workload in kept]


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Any of the workloads, in any order, some of which hold something somewhere or had events."""
    names = st.sampled_from(OURS + THEIRS)
    held = [
        Held(
            draw(names),
            draw(st.integers(0, 2)),
            f"i{n}",
            draw(st.sampled_from((None, 1.0, 2.5))),
            draw(st.sampled_from((None, 2**30))),
        )
        for n in range(draw(st.integers(0, 6)))
    ]
    events = [
        WorkloadEvent("oom-killed", draw(names), f"i{n}", "n0", NOW_MS - draw(st.integers(0, 3)))
        for n in range(draw(st.integers(0, 5)))
    ]
    return Fleet(_rows(draw), held, events, draw(st.integers(1, 4)), NOW_MS + draw(st.integers(0, 9)))


class Asked:
    """The API, asked with one token. `about` changes the fleet that it answers from."""

    def __init__(self, scope: Scope | None = None) -> None:
        made = new_token(
            "tenant", scope or Scope.of(["read", "decide", "place", "extend"], MINE), NOW_MS, NOW_MS + DAY_MS
        )
        self.view = View()
        self.view.missing = {}
        guard, ours = guard_with(made.kept), ApiSettings(ask_who=True)
        minutes = itertools.count(0.0, 100.0)  # what is kept for a minute is made anew for each request
        app = create_app(self.view, ours, NullMeter(), lambda: next(minutes), lambda: (b"", "text/plain"), guard)
        self.client = TestClient(app, base_url="http://localhost:8080")
        self.client.headers |= {"Authorization": f"Bearer {made.text}", "X-Request-Id": "one"}

    def about(self, fleet: Fleet) -> TestClient:
        self.view.snapshot = fleet.snapshot()
        return self.client


def guard_with(*tokens: ApiToken, now_ms: int = NOW_MS) -> Guard:
    book = TokenBook()
    book.replace({token.id: token for token in tokens})
    book.complete, book.sealer = True, Sealer(bytes(32))
    return Guard(book, AuditTrail(NullMeter()), NullMeter(), lambda: now_ms)
