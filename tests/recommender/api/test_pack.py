"""POST /v1/pack: fewest GPUs, a layout per GPU and moves to it, from the inventory of the view."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from models.hardware.geometry import Slot, conflict
from models.hardware.mig_table import MIG_GPUS
from models.inventory import Allocation, Gpu, Node
from models.taints import CORDONED, Taint
from recommender.api.docs_page import example
from recommender.api.pack_body import PackAnswer, PackRequest
from tests.recommender.api.nodes import A100, GIB, client_over, cut, gpu_node

MIG = MIG_GPUS["A100-80"]


def ask(client: TestClient, **body: Any) -> dict[str, Any]:
    """The answer, which fits its documented model: every field is there and nothing else."""
    answer = client.post("/v1/pack", json=body)
    assert answer.status_code == 200, answer.text
    PackAnswer.model_validate(answer.json(), extra="forbid")
    found: dict[str, Any] = answer.json()
    return found


def node(*gpus: Gpu, **held: str) -> Node:
    """`held`: tenant to the uuid of what it has, with `_` for what a name cannot bear."""
    allocations = tuple(Allocation(tenant, "i", gpu_uuids=(uuid,)) for tenant, uuid in held.items())
    return Node("prod", "n", 1, cpu_cores=8, memory_bytes=GIB, gpus=gpus, allocations=allocations)


def tenants(answer: dict[str, Any]) -> Counter[tuple[str, str]]:
    return Counter((i["tenant"], i["mig_profile"]) for gpu in answer["layout"] for i in gpu["instances"])


def test_new_workloads_go_beside_those_that_run() -> None:
    """x (3g) and y (3g) run on a GPU each, and z wants 1g: one GPU has room for x and y, z goes to another of the two,
    or all three on the first two: the fewest are two, as 3g + 3g leave no memory slice for 1g."""
    client = client_over(node(cut("g1", ("3g.40gb", 0)), cut("g2", ("3g.40gb", 4)), x="g1/3g.40gb@0", y="g2/3g.40gb@4"))
    answer = ask(client, workloads=[{"name": "z", "mig_profiles": ["1g.10gb"]}])
    assert (answer["gpus_used"], answer["proven"], answer["method"]) == (2, True, "highs")
    assert tenants(answer) == {("x", "3g.40gb"): 1, ("y", "3g.40gb"): 1, ("z", "1g.10gb"): 1}
    assert [(s["action"], s["tenant"]) for s in answer["moves"]["steps"]] == [("create", "z")]
    assert {gpu["node"] for gpu in answer["layout"]} == {"prod/n"}


def test_tenants_that_are_not_named_stay_unless_they_are_said_to_have_ended() -> None:
    """y is not named. Staying, it moves beside x so that one GPU is enough; ended, it is deleted."""
    client = client_over(node(cut("g1", ("3g.40gb", 0)), cut("g2", ("3g.40gb", 4)), x="g1/3g.40gb@0", y="g2/3g.40gb@4"))
    x = [{"name": "x", "mig_profiles": ["3g"]}]
    stays = ask(client, workloads=x)
    assert (stays["gpus_used"], tenants(stays)["y", "3g.40gb"]) == (1, 1)
    assert [s["action"] for s in stays["moves"]["steps"]] == ["create", "delete"]
    ended = ask(client, workloads=x, others="end")
    assert [(s["action"], s["tenant"]) for s in ended["moves"]["steps"]] == [("delete", "y")]


def test_a_tenant_with_slices_of_two_sizes_keeps_both() -> None:
    """One workload on 3g and 1g: each size is a demand of its own, under the one name."""
    card = cut("g1", ("3g.40gb", 0), ("1g.10gb", 6))
    held = tuple(Allocation("x", str(n), gpu_uuids=(i.uuid,)) for n, i in enumerate(card.mig))
    answer = ask(client_over(Node("prod", "n", 1, gpus=(card,), allocations=held)))
    assert tenants(answer) == {("x", "3g.40gb"): 1, ("x", "1g.10gb"): 1}
    assert answer["moves"]["steps"] == []


def test_gpus_that_must_not_be_touched_are_left_out_with_why() -> None:
    """In use whole; no MIG; starts not known; a special slice in use; what cannot stand together."""
    client = client_over(
        node(
            Gpu("whole", A100, 80 * GIB),
            Gpu("l4", "NVIDIA L4", 24 * GIB),
            cut("hidden", ("1g.10gb", None)),  # type: ignore[arg-type]
            cut("media", ("1g.10gb+me", 0)),
            cut("broken", ("4g.40gb", 0), ("4g.40gb", 0)),
            cut("odd", ("9g.90gb", 0)),
            a="whole",
            b="media/1g.10gb+me@0",
        )
    )
    left = {entry["gpu"]: entry["reason"] for entry in ask(client)["left_out"]}
    words = {
        "whole": "in use as a whole GPU",
        "l4": "MIG cannot cut it",
        "hidden": "only root is told",
        "media": "1g+me on it is in use",
        "broken": "cannot stand together",
        "odd": "no MIG profile '9g.90gb'",
    }
    assert set(left) == set(words)
    assert all(words[gpu] in reason for gpu, reason in left.items())


def test_a_workload_takes_any_size_that_holds_it() -> None:
    """30 GB need 3g (39.25 GiB) or more; two stand on one GPU. On a GPU without MIG turned on, that is said."""
    answer = ask(
        client_over(gpu_node("a", gpus=2)), workloads=[{"name": "w", "replicas": 2, "memory_bytes": 30 * 10**9}]
    )
    assert answer["gpus_used"] == 1
    assert answer["layout"][0]["mig_to_turn_on"]
    assert {size for _, size in tenants(answer)} <= {"3g.40gb", "4g.40gb"}


def test_a_service_gets_slices_with_the_batch_that_keeps_its_latency() -> None:
    """Half of 0.1 s is allowed: batch 8 (0.06 s) is too slow, batch 4 gives 300/s; 600/s need two 1g."""
    points = [
        {"mig_profile": "1g.10gb", "batch": 4, "processes": 2, "requests_per_s": 300, "latency_s": 0.04},
        {"mig_profile": "1g.10gb", "batch": 8, "processes": 2, "requests_per_s": 400, "latency_s": 0.06},
    ]
    service = {"name": "s", "requests_per_s": 600, "latency_limit_s": 0.1, "points": points}
    answer = ask(client_over(), services=[service], kinds=[{"model": "A100-SXM-80"}])
    (gpu,) = answer["layout"]
    assert [(i["tenant"], i["batch"], i["processes"]) for i in gpu["instances"]] == [("s", 4, 2)] * 2
    assert (gpu["gpu"], gpu["node"], answer["moves"]["steps"]) == ("1", None, [])
    slow = ask(client_over(), services=[service | {"latency_limit_s": 0.01}], kinds=[{"model": "A100-SXM-80"}])
    assert "raise the latency limit" in slow["unplaced"][0]["reason"]


def test_what_finds_no_room_is_named_and_greedy_says_so() -> None:
    """One GPU, two workloads of a whole GPU: one is placed, and the answer says by which method and why."""
    answer = ask(
        client_over(),
        workloads=[{"name": "w", "replicas": 2, "mig_profiles": ["7g"]}],
        kinds=[{"model": "A100-SXM-80", "count": 1}],
    )
    assert (answer["method"], answer["proven"], answer["gpus_used"]) == ("greedy", False, 1)
    assert answer["unplaced"][0]["name"] == "w"
    assert answer["unplaced"][0]["amount"] == 1
    assert any("cannot carry all" in reason for reason in answer["reasons"])


def test_moves_make_room_today_for_a_larger_slice() -> None:
    """1g at 0 and at 4 keep both halves of the only GPU from a 4g; the one at 0 moves away first."""
    held = {"x": "g/1g.10gb@0", "y": "g/1g.10gb@4"}
    answer = ask(client_over(node(cut("g", ("1g.10gb", 0), ("1g.10gb", 4)), **held)), make_room_for=["4g.40gb", "7g"])
    four, seven = answer["defrag"]
    assert (four["possible"], four["slot"], four["moved_memory_slices"]) == (
        True,
        {"mig_profile": "4g.40gb", "start": 0},
        1,
    )
    assert [(move["tenant"], move["source"]["start"]) for move in four["moves"]] == [("x", 0)]
    assert four["moves"][0]["slot"]["start"] >= 4
    assert (seven["possible"], seven["slot"], seven["moves"]) == (False, None, [])


def test_given_gpus_stand_in_for_the_inventory() -> None:
    """What stands on them is part of the question."""
    gpu = {"uuid": "G", "model": A100, "instances": [{"mig_profile": "4g.40gb", "start": 0, "tenant": "x"}]}
    answer = ask(client_over(), gpus=[gpu], workloads=[{"name": "y", "mig_profiles": ["3g"]}])
    assert [(s["gpu"], s["tenant"], s["start"]) for s in answer["moves"]["steps"]] == [("G", "y", 4)]


A_KIND = [{"model": "A100-SXM-80"}]
POINT = {"mig_profile": "1g", "batch": 1, "requests_per_s": 1, "latency_s": 1}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"workloads": [{"name": "w"}]}, "workloads[0].mig_profiles"),
    ({"workloads": [{"name": "w", "mig_profiles": ["9g"]}], "kinds": A_KIND}, "workloads[0].mig_profiles"),
    ({"workloads": [{"name": "w", "memory_bytes": 1}] * 2, "kinds": A_KIND}, "name"),
    ({"kinds": [{"model": "NVIDIA L4"}]}, "kinds[0].model"),
    ({"kinds": A_KIND * 2}, "kinds"),
    ({"kinds": A_KIND, "gpus": [{"uuid": "g", "model": A100}]}, "kinds"),
    ({"kinds": A_KIND, "make_room_for": ["3g"]}, "make_room_for"),
    ({"gpus": [{"uuid": "g", "model": A100}] * 2}, "gpus"),
    ({"gpus": [{"uuid": "g", "model": "??"}]}, "gpus[0].model"),
    ({"gpus": [{"uuid": "g", "model": A100, "instances": [{"mig_profile": "3g", "start": 1}]}]}, "gpus[0].instances"),
    ({"gpus": [{"uuid": "g", "model": A100, "instances": [{"mig_profile": "9g", "start": 0}]}]}, "gpus[0].instances"),
    ({"make_room_for": ["3g"]}, "make_room_for"),
    ({"time_limit_s": 1000}, "time_limit_s"),
    ({"services": [{"name": "s", "requests_per_s": 1, "latency_limit_s": 1, "points": []}]}, "services[0].points"),
    (
        {"services": [{"name": "s", "requests_per_s": 1, "latency_limit_s": 1, "points": [POINT | {"batch": 0}]}]},
        "services[0].points[0].batch",
    ),
    (
        {
            "services": [
                {"name": "s", "requests_per_s": 1, "latency_limit_s": 1, "points": [POINT | {"mig_profile": "9g"}]}
            ],
            "kinds": A_KIND,
        },
        "services[0].points[0].mig_profile",
    ),
]


@pytest.mark.parametrize(("body", "field"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_a_wrong_wish_names_its_field_and_mend(body: dict[str, Any], field: str) -> None:
    """A 422 problem; the path of the field leads into the body."""
    answer = client_over().post("/v1/pack", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    fault = answer.json()["errors"][0]
    assert fault["field"] == field
    assert len(fault["mend"]) > 10


def test_the_documented_examples_are_right() -> None:
    """The requests that /docs shows are answered, and its answer fits its schema."""
    client = client_over(gpu_node("a"))
    document = client.get("/openapi.json").json()
    for body in document["components"]["schemas"]["PackRequest"]["examples"]:
        assert PackRequest.model_validate(body)
        ask(client, **body)
    assert PackAnswer.model_validate(example(document, {"$ref": "#/components/schemas/PackAnswer"}))


SIZES = ["1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"]
wanted = st.lists(st.tuples(st.sampled_from(SIZES), st.integers(1, 4)), max_size=5)
standing = st.lists(
    st.lists(st.sampled_from([("3g.40gb", 4), ("2g.20gb", 0), ("1g.10gb", 2)]), unique=True), max_size=4
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted, standing)
def test_every_step_and_the_end_is_legal_and_nobody_is_dropped(
    asked: list[tuple[str, int]], now: list[list[tuple[str, int]]]
) -> None:
    """Played step by step from today: each layout is legal, a tenant of today always has a slice, and the end is the
    layout of the answer, where moves reach it."""
    cards = [cut(f"g{n}", *instances) for n, instances in enumerate(now)]
    held = tuple(Allocation(i.uuid, "i", gpu_uuids=(i.uuid,)) for card in cards for i in card.mig)
    fresh = tuple(Gpu(f"f{n}", A100, 80 * GIB) for n in range(3))
    client = client_over(Node("prod", "n", 1, gpus=(*cards, *fresh), allocations=held))
    workloads = [{"name": f"w{n}", "replicas": count, "mig_profiles": [size]} for n, (size, count) in enumerate(asked)]
    answer = ask(client, workloads=workloads)
    live = {card.uuid: {(i.start, i.profile, i.uuid) for i in card.mig} for card in cards} | {
        g.uuid: set() for g in fresh
    }
    for step in answer["moves"]["steps"]:
        instance = (step["start"], step["mig_profile"], step["tenant"])
        (live[step["gpu"]].add if step["action"] == "create" else live[step["gpu"]].remove)(instance)
        assert conflict(MIG, [Slot(s or 0, MIG.profile(p).key) for s, p, _ in live[step["gpu"]]]) is None
        assert {tenant for on in live.values() for *_, tenant in on} >= {a.workload for a in held}
    if not answer["moves"]["reason"]:
        end = {
            g["gpu"]: {(i["start"], i["mig_profile"], i["tenant"]) for i in g["instances"]} for g in answer["layout"]
        }
        assert {gpu: on for gpu, on in live.items() if on} == end
    if not answer["unplaced"]:
        found = tenants(answer)
        assert all(found[f"w{n}", size] == count for n, (size, count) in enumerate(asked))


def test_gpus_of_closed_nodes_are_left_alone_unless_tolerated() -> None:
    """x stands on a node that is cordoned: it stays, and z does not join it there. A toleration opens the tainted node."""
    gpu = Taint("nvidia.com/gpu", "NoSchedule", "present")
    cordoned = replace(node(cut("g1", ("3g.40gb", 0)), x="g1/3g.40gb@0"), taints=(CORDONED,))
    marked = Node("prod", "m", 1, gpus=(cut("g2"),), taints=(gpu,))
    client, z = client_over(cordoned, marked), [{"name": "z", "mig_profiles": ["1g.10gb"]}]
    shut = ask(client, workloads=z)
    assert shut["gpus_used"] == 0
    assert [one["name"] for one in shut["unplaced"]] == ["z"]
    assert {left["gpu"]: left["reason"] for left in shut["left_out"]} == {
        "g1": "its node is cordoned: `kubectl uncordon` opens it",
        "g2": "its node is tainted nvidia.com/gpu=present:NoSchedule: add a toleration to use it",
    }
    assert shut["notes"][0].startswith("2 nodes left out: 1 cordoned, 1 tainted nvidia.com/gpu=present:NoSchedule; ")
    opened = ask(client, workloads=z, tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}])
    assert [gpu["gpu"] for gpu in opened["layout"]] == ["g2"]
    assert [left["gpu"] for left in opened["left_out"]] == ["g1"]


def test_pack_says_where_taints_are_not_known_and_asks_none_of_gpus_that_are_described() -> None:
    """A node of the inventory without word of taints; and GPUs that stand on no node."""
    z = [{"name": "z", "mig_profiles": ["1g.10gb"]}]
    assert "no source tells" in ask(client_over(Node("prod", "m", 1, gpus=(cut("g2"),))), workloads=z)["notes"][0]
    cordoned = client_over(Node("prod", "m", 1, gpus=(cut("g2"),), taints=(CORDONED,)))
    described = ask(cordoned, workloads=z, gpus=[{"uuid": "mine", "model": A100}])
    assert (described["gpus_used"], described["notes"]) == (1, [])
