"""The in-memory view: joining, asking, following."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.events import WorkloadEvent
from models.inventory import Allocation, Node
from models.metrics import NullMeter
from models.reasons import Action, Reason
from recommender.view import Snapshot, View, join
from recommender.view_follow import Contents, profile_of
from recommender.view_query import CORE_PER_GIB, SORTS, Query, QueryError, ask
from stream import schemas
from stream.contract import Record
from stream.json_codec import encode_json
from tests.recommender.view_columns import GIB, message, profiles, recommendations, slab, snapshot

A, B, C = "prod/shop/Deployment/cart/server", "prod/shop/Deployment/pay/server", "lab/host/unit/cron.service/"


def test_a_slab_without_recommendations_shows_its_workloads_as_insufficient() -> None:
    """A profile that was not answered yet has a row: no target, action insufficient (0), never a size of 0."""
    part = join(profiles([A]), b"", None)
    assert part.ids == [A]
    assert part.columns["action"].tolist() == [[Action.INSUFFICIENT] * 2]
    assert np.isnan(part.columns["target"]).all()


def test_recommendations_are_joined_by_id_and_not_by_place() -> None:
    """Recommendations [B, C] beside profiles [A, B]: rows A, B, C; B has both, A no target, C no profile."""
    part = join(profiles([A, B]), b"", recommendations([B, C], target=[[1, 10], [2, 20]]))
    assert part.ids == [A, B, C]
    assert part.columns["target"][1:].tolist() == [[1, 10], [2, 20]]
    assert np.isnan(part.columns["target"][0]).all()
    assert part.columns["last_seen_ms"].tolist() == [172_800_000, 172_800_000, 0]


def test_rows_are_found_by_id_and_by_place() -> None:
    """Slabs of 2 and 1 rows: place 2 is row 0 of the second slab."""
    whole = snapshot(slab([A, B]), slab([C]))
    assert len(whole) == 3
    assert [row.id for row in whole.rows(np.array([2, 0]))] == [C, A]
    found = whole.get(C)
    assert found is not None
    assert (found.id, found.index) == (C, 0)
    assert whole.get("no/such/work/load/") is None


def test_an_empty_view_answers() -> None:
    """Before the first message there are no rows, and every sort key gives an empty page."""
    for key in SORTS:
        assert ask(Snapshot(), Query(sort=f"-{key}")).rows == []


def test_saving_counts_changes_only() -> None:
    """LOWER 4 to 1 cores saves 3; RAISE 1 to 2 GiB costs 1 GiB; LEAVE saves 0; SET and INSUFFICIENT are not known."""
    L, R, K, S, I = Action.LOWER, Action.RAISE, Action.LEAVE, Action.SET, Action.INSUFFICIENT  # noqa: E741, N806
    part = slab(
        [A, B, C],
        action=[[L, R], [K, S], [I, L]],
        request_now=[[4, GIB], [4, np.nan], [4, 4 * GIB]],
        target=[[1, 2 * GIB], [3, GIB], [np.nan, GIB]],
    )
    np.testing.assert_array_equal(snapshot(part).saving, [[3, -GIB], [0, np.nan], [np.nan, 3 * GIB]])


def test_the_default_order_weighs_memory_against_cpu_and_puts_unknown_last() -> None:
    """A saves 1 core; B saves 15 GiB = 2 cores' worth; C is not known."""
    assert pytest.approx(2) == 15 * CORE_PER_GIB
    part = slab(
        [C, A, B],
        action=[[Action.SET] * 2, [Action.LOWER, Action.LEAVE], [Action.LEAVE, Action.LOWER]],
        request_now=[[np.nan] * 2, [2, GIB], [1, 16 * GIB]],
        target=[[1, 1], [1, GIB], [1, GIB]],
    )
    assert [row.id for row in ask(snapshot(part), Query()).rows] == [B, A, C]
    assert [row.id for row in ask(snapshot(part), Query(sort="saving")).rows] == [A, B, C]


def test_filters_narrow_and_combine() -> None:
    """Each filter alone, and two together; names match in any case and as a part."""
    part = slab(
        [A, B, C],
        action=[[Action.LOWER, Action.LEAVE], [Action.LEAVE] * 2, [Action.SET] * 2],
        reasons=[[int(Reason.CAP), 0], [0, int(Reason.PEAK | Reason.CAP)], [int(Reason.NO_REQUEST_KNOWN)] * 2],
        request_now=[[2, GIB], [1, GIB], [np.nan] * 2],
        target=[[1.5, GIB]] * 3,
    )

    def ids(**filters: object) -> list[str]:
        return [row.id for row in ask(snapshot(part), replace(Query(sort="id"), **filters)).rows]  # type: ignore[arg-type]

    assert ids() == [C, A, B]
    assert ids(cluster="prod") == [A, B]
    assert ids(namespace="host") == [C]
    assert ids(kind="unit") == [C]
    assert ids(name="CAR") == [A]
    assert ids(name="server") == [A, B]
    assert ids(action="leave") == [A, B]
    assert ids(reason="cap") == [A, B]
    assert ids(reason="peak", action="lower") == []
    assert ids(min_cpu_saving_cores=0.5) == [A]
    assert ids(min_cpu_saving_cores=0.51) == []
    assert ids(min_memory_saving_bytes=0) == [A, B]


@pytest.mark.parametrize("bad", [Query(sort="colour"), Query(action="grow"), Query(reason="luck")])
def test_a_word_that_means_nothing_is_refused_with_those_that_do(bad: Query) -> None:
    """The error names the field and what would be right."""
    with pytest.raises(QueryError, match=r"(sort|action|reason) = '\w+': use one of \w+"):
        ask(snapshot(slab([A])), bad)


@given(
    values=st.lists(st.one_of(st.just(float("nan")), st.floats(-10, 10)), max_size=30),
    size=st.integers(1, 7),
    key=st.sampled_from(["cpu_target_cores", "-cpu_target_cores"]),
)
def test_pages_cover_everything_once_in_order(values: list[float], size: int, key: str) -> None:
    """Pages laid end to end are the whole list: sorted, unknown last, nothing twice."""
    ids = [f"c/n/k/w{i:02}/" for i in range(len(values))]
    whole = snapshot(slab(ids, target=[[value, 0] for value in values] or np.empty((0, 2))))
    pages = [ask(whole, Query(sort=key, offset=i, limit=size)) for i in range(0, max(1, len(ids)), size)]
    seen = [row for page in pages for row in page.rows]
    assert sorted(row.id for row in seen) == ids
    assert all(page.total == len(ids) for page in pages)
    targets = [float(row["target"][0]) for row in seen]
    known = [value for value in targets if not np.isnan(value)]
    assert known == sorted(known, reverse=key.startswith("-"))
    assert all(np.isnan(value) for value in targets[len(known) :])


def test_messages_build_up_the_view_and_tombstones_take_it_down() -> None:
    """A profile makes a row, its recommendation fills it, a newer one replaces it, tombstones remove it."""
    contents = Contents(10, NullMeter())
    contents.absorb([message(profiles([A]), "profiles")])
    assert len(contents.snapshot()) == 1
    contents.absorb([message(recommendations([A], target=[[1, 2]]), "recommendations")])
    contents.absorb([message(recommendations([A], target=[[3, 4]]), "recommendations")])
    row = contents.snapshot().get(A)
    assert row is not None
    assert row["target"].tolist() == [3, 4]
    gone = [Record(stream, 0, 9, "slab/0", None, {}, 0) for stream in ("profiles", "recommendations")]
    contents.absorb(gone)
    assert len(contents.snapshot()) == 0


def test_a_message_that_cannot_be_read_leaves_the_one_before_it() -> None:
    """Garbage under a key does not take the workload away."""
    contents = Contents(10, NullMeter())
    good = message(profiles([A]), "profiles")
    contents.absorb([good, replace(good, value=b"garbage"), replace(good, headers={"schema": "cover/1"})])
    assert len(contents.snapshot()) == 1


def test_nodes_and_events_are_kept_the_newest_of_them() -> None:
    """Two states of one node: the newer is the truth. Of three events a view of two keeps the newest two."""
    contents = Contents(2, NullMeter())
    for cores in (4, 8):
        node = Node("prod", "n1", 1, cpu_cores=cores, allocations=(Allocation(A, "i1"), Allocation(A, "i2")))
        contents.absorb([Record("inventory", 0, 0, "prod/n1", encode_json(node), {"schema": schemas.NODE}, 1)])
    for time_ms in (1, 2, 3):
        event = WorkloadEvent("oom-killed", A, "i1", "n1", time_ms)
        contents.absorb([Record("events", 0, 0, A, encode_json(event), {"schema": schemas.EVENT}, 1)])
    frozen = contents.snapshot()
    assert frozen.nodes["prod/n1"].cpu_cores == 8
    assert frozen.instances == {A: 2}
    assert [event.time_ms for event in frozen.events_of(A)] == [3, 2]


def test_the_whole_profile_is_unpacked_for_one_row() -> None:
    """What is not kept decoded comes back from the packed slab, of the row asked for."""
    part = slab([A, B], profile={"newest_day": [3, 5]})
    row = snapshot(part).get(B)
    assert row is not None
    whole = profile_of(row)
    assert whole is not None
    assert (list(whole.workloads), whole["newest_day"].tolist()) == ([B], [5])


def test_readers_never_see_half_an_update() -> None:
    """While a writer swaps snapshots in which every target equals the round, each reader sees one round in all rows."""
    view, stop, torn = View(), threading.Event(), []
    ids = [f"c/n/k/w{i}/" for i in range(64)]

    def write() -> None:
        contents = Contents(1, NullMeter())
        for number in range(60):
            halves = [recommendations(half, target=[[number, number]] * 32) for half in (ids[:32], ids[32:])]
            contents.absorb([message(half, "recommendations", number=i) for i, half in enumerate(halves)])
            made = contents.snapshot()
            made.prepare()
            view.snapshot = made
        stop.set()

    def read() -> None:
        while not stop.is_set():
            rows = ask(view.snapshot, Query(sort="cpu_target_cores", limit=100)).rows
            rounds = {float(row["target"][0]) for row in rows}
            if len(rounds) > 1 or len(rows) not in (0, 64):
                torn.append((rounds, len(rows)))

    threads = [threading.Thread(target=target) for target in (write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torn == []
