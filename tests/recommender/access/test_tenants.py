"""What a tenant is told does not depend on others: byte for byte the same, whatever they have, on every route."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields as fields_of
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import compile_path
from starlette.testclient import TestClient

from models.events import WorkloadEvent
from recommender.access.restrict import restrict
from recommender.access.scope import Scope
from recommender.api.gate import OPEN
from recommender.placement.inventory import NodeRoom, TopologyLabels, room_of
from recommender.supply import Supplies
from recommender.view import Slab, Snapshot
from tests.recommender.access.fleets import MINE, NOW_MS, OURS, THEIRS, Asked, Facts, Fleet, Held, fleets
from tests.recommender.view_columns import DAY_MS

SEALED = re.compile(rb'"cursor":"([^"]*)"')
"""Never the same twice, and of one length: nothing but its length can be compared."""
Call = tuple[str, str, Any]
"""Method, path, JSON body."""
_SORTS = ("-saving", "id", "-id", "confidence_ratio", "-cpu_usage_p95_cores", "last_seen", "oom_kills")
_IDS = (*OURS, *THEIRS, "prod/shop/Deployment/nobody/x", "nowhere")


def reads() -> Iterator[Call]:
    """Every route that reads, with what can be asked of it."""
    for sort in _SORTS:
        yield "GET", f"/v1/workloads?sort={sort}", None
    for query in (
        "limit=2",
        "limit=2&offset=2",
        "namespace=bank",
        "cluster=lab",
        "name=cart",
        "gpu=true",
        "action=lower",
    ):
        yield "GET", f"/v1/workloads?{query}", None
    for workload in _IDS:
        for suffix in ("", "/recommendation", "/series"):
            yield "GET", f"/v1/workloads/{quote(workload)}{suffix}", None
    yield from (("GET", path, None) for path in ("/v1/nodes", "/v1/nodes?cluster=prod", "/v1/nodes?cluster=lab"))
    yield from (("GET", f"/v1/recommendations?limit={limit}", None) for limit in (1, 2, 500))
    yield from (("GET", path, None) for path in ("/metrics", "/readyz", "/healthz", "/nothing"))


def questions() -> Iterator[Call]:
    """Every route that looks for room."""
    for extra in (
        {},
        {"gpus": 1},
        {"gpus": 1, "mig_profile": "3g.40gb"},
        {"members": 2},
        {"nodes": ["prod/n0", "lab/n2"]},
    ):
        yield "POST", "/v1/place", {"cpu_cores": 1, "memory_bytes": 2**30} | extra
    for workload in (OURS[1], THEIRS[1], "prod/shop/Job/nobody/x"):
        yield "POST", "/v1/place", {"gpus": 1, "workload": workload}
        yield "POST", "/v1/recommend", {"workload": workload, "cpu_cores": 2, "gpus": 1}
        yield "POST", "/v1/expect", {"workload": workload, "image": "ml/train:1", "gpus": 1}
        yield "POST", "/v1/recommend", [{"workload": workload, "memory_bytes": 2**30, "nodes": ["prod/n0", "prod/n1"]}]
    stranger = {"cpu_cores": 2, "gpus": 1, "owner": "somebody", "command": ["python", "train.py"]}
    yield "POST", "/v1/recommend", {"workload": "prod/shop/Job/stranger/main"} | stranger
    yield "POST", "/v1/pack", {"workloads": [{"name": "w", "mig_profiles": ["3g.40gb"]}]}
    yield (
        "POST",
        "/v1/pack",
        {"workloads": [{"name": "w", "mig_profiles": ["3g.40gb"]}], "kinds": [{"model": "A100-SXM-80"}]},
    )
    for namespace, name in (("shop", "train"), ("bank", "a")):
        owner = [{"kind": "Job", "name": name, "apiVersion": "batch/v1", "controller": True}]
        pod = {
            "metadata": {"name": "p", "namespace": namespace, "ownerReferences": owner},
            "spec": {"containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": "1", "cpu": "1"}}}]},
        }
        for verb in ("filter", "prioritize"):
            call = {"Pod": pod, "NodeNames": ["n0", "n1", "n2", "unknown"]}
            yield "POST", f"/v1/extender/{verb}?cluster=prod", call
            yield "POST", f"/v1/extender/{verb}", call


def _length(cursor: re.Match[bytes]) -> bytes:
    return b'"cursor":%d' % len(cursor[1])


def answers(client: TestClient, calls: Iterable[Call]) -> list[tuple[Call, int, dict[str, str], bytes]]:
    found = []
    for call in calls:
        method, path, body = call
        answer = client.request(method, path, json=body)
        found.append((call, answer.status_code, dict(answer.headers), SEALED.sub(_length, answer.content)))
    return found


READS, QUESTIONS = list(reads()), list(questions())
TAKEN = ("n0-g0", "n0-g1", "n1-g2", "n0-g3/0")
some_reads = st.lists(st.sampled_from(READS), min_size=8, max_size=8, unique_by=lambda call: call[1])
some_questions = st.lists(st.sampled_from(QUESTIONS), min_size=6, max_size=6)


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


@settings(max_examples=40)
@given(fleet=fleets(), slab_rows=st.integers(1, 4), later_ms=st.integers(0, 10**6), calls=some_reads)
def test_what_is_read_is_as_if_others_had_never_been(
    asked: Asked, fleet: Fleet, slab_rows: int, later_ms: int, calls: list[Call]
) -> None:
    """The other tenant's workloads are taken out with their rows, instances and events; slabs are cut elsewhere, nodes
    reported at another time, the newest message is another: no byte of any answer changes, its headers included."""
    alone = fleet.without(*THEIRS, slab_rows=slab_rows, newest_ms=NOW_MS + later_ms, reported_ms=1 + later_ms)
    assert answers(asked.about(fleet), calls) == answers(asked.about(alone), calls)


@settings(max_examples=40)
@given(fleet=fleets(), order=st.randoms(use_true_random=False), calls=some_reads)
def test_the_order_of_rows_tells_nothing(asked: Asked, fleet: Fleet, order: Any, calls: list[Call]) -> None:
    """A slot that somebody left is taken by the next who comes, so places in slabs tell of others: own rows come by id."""
    rows = list(fleet.rows)
    order.shuffle(rows)
    shuffled = Fleet(rows, fleet.held, fleet.events, fleet.slab_rows, fleet.newest_ms)
    assert answers(asked.about(fleet), calls) == answers(asked.about(shuffled), calls)


@settings(max_examples=40)
@given(fleet=fleets(), split=st.integers(1, 3), taken=st.sets(st.sampled_from(TAKEN)), calls=some_questions)
def test_of_others_only_the_room_that_is_not_free_shows(
    asked: Asked, fleet: Fleet, split: int, taken: set[str], calls: list[Call]
) -> None:
    """Nodes 0 and 1 hold 6 cores, 6 GiB and some GPUs of others: once of one instance, once of `split` with other names,
    kinds of requests and without a word of their CPU. What is answered about room is the same byte for byte."""
    ours = fleet.without(*THEIRS)
    gpus = [tuple(sorted(uuid for uuid in taken if uuid.startswith(f"n{node}-"))) for node in (0, 1)]
    one = [Held("prod/bank/Job/one/x", node, "i", 6.0, 6 * 2**30, gpus[node]) for node in (0, 1)]
    many = [
        Held(f"lab/other/Job/{n}/x", node, "i", 6.0 if n == 0 else None, 6 * 2**30 if n == 0 else None, part)
        for node in (0, 1)
        for n, part in enumerate((*((uuid,) for uuid in gpus[node]), *[()] * split))
    ]
    first = Fleet([*fleet.rows], [*ours.held, *one], ours.events, fleet.slab_rows)
    second = Fleet(ours.rows, [*many, *ours.held], ours.events, 1, NOW_MS + 7, reported_ms=9)
    assert answers(asked.about(first), calls) == answers(asked.about(second), calls)


def test_every_route_has_a_case_above(asked: Asked) -> None:
    """A new route is not forgotten: its path is in `reads` or `questions`, or open to everybody."""
    client = asked.about(Fleet([], [], []))
    paths = set(client.get("/openapi.json").json()["paths"]) - OPEN
    cases = [path.partition("?")[0] for _, path, _ in READS + QUESTIONS]
    missing = [path for path in paths if not any(compile_path(path)[0].match(one) for one in cases)]
    assert missing == []


def test_the_same_questions_do_show_others_to_who_may_see_them() -> None:
    """The comparison can fail: with a scope over everything, taking the other tenant out changes answers."""
    held = [Held(THEIRS[0], 0, "i", 1.0, 2**30)]
    fleet = Fleet([Facts(OURS[0], 1, False), Facts(THEIRS[0], 2, True)], held, [])
    api = Asked(Scope.of(["read", "metrics"], ["*"]))
    whole = answers(api.about(fleet), READS)
    alone = answers(api.about(fleet.without(*THEIRS)), READS)
    assert sum(one != other for one, other in zip(whole, alone, strict=True)) > 10


@pytest.mark.parametrize("suffix", ["", "/recommendation", "/series"])
def test_anothers_workload_is_answered_as_one_that_does_not_exist(asked: Asked, suffix: str) -> None:
    """Same status, same headers, and the same body but for the id that was asked for."""
    fleet = Fleet([Facts(OURS[0], 1, False), Facts(THEIRS[0], 1, False)], [], [])
    client = asked.about(fleet)
    there, nowhere = (client.get(f"/v1/workloads/{THEIRS[0][:-6]}{name}{suffix}") for name in ("server", "nobody"))
    assert there.status_code == nowhere.status_code == 404
    assert there.content == nowhere.content.replace(b"nobody", b"server")
    assert dict(there.headers) == dict(nowhere.headers)


class Counted(Slab):
    """A slab that counts how often a row is looked for in it."""

    looks = 0

    @property
    def row_of(self) -> Any:  # counts, then does the same
        type(self).looks += 1
        return Slab.row_of.func(self)  # type: ignore[attr-defined]


def test_the_same_work_is_done_for_anothers_workload_as_for_none() -> None:
    """Rows of others are not looked at: of 40 slabs of others none is asked, for their id or for one that nobody has, and
    the part that is cut out has as many slabs as one with them gone."""
    Counted.looks = 0
    fleet = Fleet([Facts(OURS[0], 1, False), *(Facts(f"prod/bank/Job/{n}/x", 1, False) for n in range(40))], [], [], 1)
    made = fleet.snapshot()
    whole = Snapshot(
        {key: Counted(part.ids, part.columns, part.packed_profile) for key, part in made.slabs.items()},
        made.nodes,
        made.events,
        made.newest_ms,
    )
    seen = restrict(whole, Scope.of(["read"], MINE))
    assert [seen.get(workload) for workload in ("prod/bank/Job/3/x", "prod/bank/Job/nobody/x")] == [None, None]
    assert seen.get(OURS[0]) is not None
    assert (Counted.looks, len(seen.slabs), len(seen)) == (0, 1, 1)


def test_a_part_is_cut_out_once_and_kept_parts_of_slabs_are_used_again() -> None:
    """The same snapshot and namespaces give the same object; in the next snapshot slabs that stayed are not cut again."""
    fleet = Fleet([Facts(OURS[0], 1, False), Facts(THEIRS[0], 1, False), Facts(OURS[1], 2, True)], [], [], 2)
    first = fleet.snapshot()
    scope, other = Scope.of(["read"], MINE), Scope.of(["place"], MINE)
    assert restrict(first, scope) is restrict(first, other)
    parts = [dict(part.parts) for part in first.slabs.values()]
    second = Snapshot(first.slabs, first.nodes, (WorkloadEvent("started", OURS[0], "i", "n0", DAY_MS),), 1)
    assert restrict(second, scope).events_of(OURS[0])
    assert [dict(part.parts) for part in second.slabs.values()] == parts
    assert all(
        part.parts[scope.namespaces] is kept[scope.namespaces]
        for part, kept in zip(second.slabs.values(), parts, strict=True)
    )


def test_of_a_room_only_what_is_free_is_of_everybody() -> None:
    """Whatever else a room comes to hold is that of the asker's own part, without anybody having to think of it."""
    held = [Held(OURS[0], 0, "i0", 1.0, 2**30, ("n0-g0",)), Held(THEIRS[0], 0, "i1", None, None, ("n0-g1",))]
    whole = Fleet([Facts(OURS[0], 1, True), Facts(THEIRS[0], 1, True)], held, []).snapshot()
    scope, labels = Scope.of(["place"], MINE), TopologyLabels()
    own = restrict(whole, scope).nodes["prod/n0"]
    seen = next(room for room in Supplies(labels).seen(whole, scope).rooms if room.name == "prod/n0")
    of_all, of_own = room_of(whole.nodes["prod/n0"], labels), room_of(own, labels)
    assert seen.gpu_milli[:3] == (0, 0, 1000)
    for name in (field.name for field in fields_of(NodeRoom)):
        free = name in ("cpu_milli", "memory_bytes", "gpu_milli", "mig_free")
        assert getattr(seen, name) == getattr(of_all if free else of_own, name)
