"""POST /v1/place: from the inventory of the view to nodes and GPUs, with reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from models.inventory import Allocation, Coverage, Node
from models.taints import CORDONED, Taint
from recommender.api.docs_page import example
from recommender.api.place_body import PlaceAnswer, PlaceRequest
from tests.recommender.api.nodes import GIB, H100, client_over, cut, gpu_node

RACK = "topology.kubernetes.io/rack"
SPOT = {"checkpoint_cost_s": 60, "restart_s": 120, "interruptions_per_hour": 0.05}


def ask(client: TestClient, **body: Any) -> dict[str, Any]:
    """The answer, which fits its documented model: every field is there and nothing else."""
    answer = client.post("/v1/place", json=body)
    assert answer.status_code == 200, answer.text
    PlaceAnswer.model_validate(answer.json(), extra="forbid")
    found: dict[str, Any] = answer.json()
    return found


def test_a_job_goes_where_it_takes_least_from_others() -> None:
    """One GPU on the node with 7 of 8 in use, not on the empty one, where 8-GPU jobs (one runs now) still find room."""
    whole = replace(gpu_node("c"), allocations=(Allocation("train", "i", 64, GIB, tuple(f"c-{n}" for n in range(8))),))
    answer = ask(client_over(gpu_node("a"), gpu_node("b", busy=7), whole), cpu_cores=4, memory_bytes=GIB, gpus=1)
    assert answer["placed"]
    assert answer["placement"] == [
        {"node": "prod/b", "gpus": [{"uuid": "b-7", "model": "NVIDIA A100-SXM4-80GB", "mig_profile": None}]}
    ]
    assert [c["node"] for c in answer["candidates"]] == ["prod/b", "prod/a"]
    factors = answer["candidates"][0]["factors"]
    weighed = sum(f["score"] * f["weight"] for f in factors) / sum(f["weight"] for f in factors)
    assert answer["candidates"][0]["score"] == pytest.approx(weighed, abs=1e-3)
    assert all(len(f["sentence"]) > 10 for f in factors)
    assert answer["refused"] == [{"reason": "no GPU wholly free", "count": 1, "nodes": ["prod/c"]}]
    assert answer["basis"] == {
        "as_of": "1970-01-01T00:00:01.000Z",
        "nodes": 3,
        "nodes_with_unknown_taints": 0,
        "gpus_in_use": 15,
        "request_kinds": 2,
    }
    assert "15 GPUs in use count as whole" in answer["notes"][0]


def test_every_node_is_a_candidate_or_refused_with_why() -> None:
    """Named candidates only; one that the inventory does not know is refused too."""
    client = client_over(gpu_node("a"), gpu_node("b", busy=8), gpu_node("c"), gpu_node("d", model="NVIDIA L4"))
    answer = ask(client, gpus=1, gpu_models=["A100-SXM-80"], cluster="prod", nodes=["a", "prod/b", "d", "x"])
    assert [c["node"] for c in answer["candidates"]] == ["prod/a"]
    assert {r["reason"]: r["nodes"] for r in answer["refused"]} == {
        "no GPU wholly free": ["prod/b"],
        "its GPU model or labels are not those asked for": ["prod/d"],
        "the inventory does not know this node": ["x"],
    }


def test_a_gang_stands_within_the_narrowest_domain_or_not_at_all() -> None:
    """Three members of eight GPUs: rack s holds three. Four fit in the zone only, five nowhere: none is placed."""
    racks = ["r", "s", "s", "s"]
    client = client_over(*(gpu_node(f"n{i}", labels={RACK: rack}) for i, rack in enumerate(racks)))
    three = ask(client, gpus=8, members=3)
    assert (three["level"], three["domain"]) == ("rack", "prod/s")
    assert sorted(m["node"] for m in three["placement"]) == ["prod/n1", "prod/n2", "prod/n3"]
    assert ask(client, gpus=8, members=4)["level"] == "zone"
    five = ask(client, gpus=8, members=5)
    assert (five["placed"], five["placement"], five["eligible_nodes"]) == (False, [], 4)
    assert "room for 4 of 5 members" in five["reason"]


def test_members_on_one_node_get_gpus_and_slices_of_their_own() -> None:
    """Three members of two GPUs on one node of eight; three slices, one of which has a tenant: two are left."""
    answer = ask(client_over(gpu_node("a")), gpus=2, members=3)
    assert len({gpu["uuid"] for member in answer["placement"] for gpu in member["gpus"]}) == 6
    card = cut("m", ("2g.20gb", 0), ("2g.20gb", 2), ("2g.20gb", 4))
    held = (Allocation("w", "i", 1, GIB, ("m/2g.20gb@2",)),)
    client = client_over(Node("prod", "b", 1, cpu_cores=8, memory_bytes=GIB, gpus=(card,), allocations=held))
    slices = [m["gpus"][0]["uuid"] for m in ask(client, gpus=1, mig_profile="2g.20gb", members=2)["placement"]]
    assert slices == ["m/2g.20gb@0", "m/2g.20gb@4"]
    assert not ask(client, gpus=1, mig_profile="2g.20gb", members=3)["placed"]
    assert "POST /v1/pack" in ask(client, gpus=1, mig_profile="3g.40gb")["notes"][-1]


def test_what_limits_a_job_decides_between_gpus() -> None:
    """Memory-bound: H100 3350 GB/s for $4 are 838 a dollar, A100 2039 for $2 are 1020."""
    client = client_over(gpu_node("a", price_usd_per_hour=16.0), gpu_node("h", model=H100, price_usd_per_hour=32.0))
    best = ask(client, gpus=1, bottleneck="memory-bandwidth", weights={"suitability": 1})["candidates"][0]
    assert best["node"] == "prod/a"
    assert best["factors"][0]["sentence"].endswith("1020 GB/s of memory bandwidth per $/h")
    fast = ask(client, gpus=1, bottleneck="compute", weights={"suitability": 1})["candidates"][0]
    assert fast["node"] == "prod/h"


def test_spot_is_taken_only_by_who_can_be_interrupted_and_when_it_pays() -> None:
    """A third of the price, an interruption every 20 h. Without a checkpoint cost the spot node is refused."""
    client = client_over(gpu_node("a", price_usd_per_hour=24.0), gpu_node("s", price_usd_per_hour=8.0, spot=True))
    bears = ask(client, gpus=1, run_time_s=36_000, spot=SPOT)
    assert (bears["spot"]["advised"], bears["spot"]["on_demand_usd"], bears["eligible_nodes"]) == (True, 30.0, 2)
    assert 10 < bears["spot"]["spot_usd"] < 12
    # Daly: sqrt(2 * 60 s * 72,000 s) = 2939 s, times 1 + 0.0204 / 3, less the checkpoint itself
    assert bears["spot"]["checkpoint_interval_s"] == pytest.approx(2939.4 * (1 + 0.0204 / 3) - 60, abs=1)
    cannot = ask(client, gpus=1, run_time_s=36_000)
    assert cannot["refused"][0]["nodes"] == ["prod/s"]
    assert cannot["spot"]["advised"] is None


def test_an_empty_inventory_says_so() -> None:
    """No candidate, nothing placed, and what to do."""
    answer = ask(client_over(), cpu_cores=1)
    assert (answer["placed"], answer["candidates"], answer["refused"]) == (False, [], [])
    assert "collectors publish nodes" in answer["notes"][0]


WRONG: list[tuple[dict[str, Any], str, object]] = [
    ({}, "cpu_cores", 0.0),
    ({"gpus": 2, "gpu_share_ratio": 0.5}, "gpu_share_ratio", 0.5),
    ({"cpu_cores": 1, "mig_profile": "3g.40gb"}, "gpus", 0),
    ({"gpus": 1, "weights": {"cost": 0}}, "weights", {"cost": 0.0}),
    ({"gpus": 1, "weights": {"colour": 1}}, "weights.colour.[key]", "colour"),
    ({"gpus": "many"}, "gpus", "many"),
    ({"gpus": -1}, "gpus", -1),
    ({"gpus": 1, "spot": {}}, "spot.checkpoint_cost_s", None),
    ({"gpus": 1, "spot": {"checkpoint_cost_s": 0}}, "spot.checkpoint_cost_s", 0),
    ({"gpus": 1, "gpu": 1}, "gpu", 1),
]


@pytest.mark.parametrize(("body", "field", "value"), WRONG)
def test_a_wrong_wish_names_field_value_and_mend(body: dict[str, Any], field: str, value: object) -> None:
    """A 422 problem; the path of the field leads into the body."""
    answer = client_over(gpu_node("a")).post("/v1/place", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    fault = answer.json()["errors"][0]
    assert (fault["field"], fault["value"]) == (field, value)
    assert len(fault["mend"]) > 5


@pytest.mark.parametrize("content", [b"{no", b"[]", b"", b'"x"', b"{}"])
def test_a_body_that_is_no_json_object_is_a_problem(content: bytes) -> None:
    """Whatever is sent, and whatever type it claims to have: never a crash."""
    for kind in ("application/json", "text/plain"):
        answer = client_over().post("/v1/place", content=content, headers={"content-type": kind})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] in ("body", "cpu_cores")


def test_the_documented_examples_are_right() -> None:
    """The requests that /docs shows are answered, and its answer fits its schema."""
    client = client_over(gpu_node("a"))
    document = client.get("/openapi.json").json()
    for body in document["components"]["schemas"]["PlaceRequest"]["examples"]:
        assert PlaceRequest.model_validate(body)
        ask(client, **body)
    assert PlaceAnswer.model_validate(example(document, {"$ref": "#/components/schemas/PlaceAnswer"}))


jobs = st.fixed_dictionaries(
    {"cpu_cores": st.floats(0.1, 100), "memory_bytes": st.integers(0, 2 * 1024 * GIB), "gpus": st.integers(0, 9)},
    optional={"members": st.integers(1, 12), "gpu_models": st.sampled_from([["H100-SXM-80"], ["A100-SXM-80"]])},
)
CLIENT = client_over(*(gpu_node(f"n{i}", busy=i, model=H100 if i % 2 else "NVIDIA A100-SXM4-80GB") for i in range(6)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(jobs)
def test_a_placement_never_asks_for_more_than_is_free(body: dict[str, Any]) -> None:
    """All members or none; no GPU twice; each node has the cores; every node is eligible or refused once."""
    answer = ask(CLIENT, **body)
    members = answer["placement"]
    assert len(members) in (0, body.get("members", 1))
    taken = [gpu["uuid"] for member in members for gpu in member["gpus"]]
    assert len(taken) == len(set(taken)) == len(members) * body["gpus"]
    assert not {f"n{i}-{g}" for i in range(6) for g in range(i)} & set(taken)
    for node in {member["node"] for member in members}:
        here = sum(member["node"] == node for member in members)
        assert here * body["cpu_cores"] <= 96 - 4 * int(node[-1]) + 0.001 * here
    refused = [node for refusal in answer["refused"] for node in refusal["nodes"]]
    assert len(refused) + answer["eligible_nodes"] == 6


GPU = Taint("nvidia.com/gpu", "NoSchedule", "present")


def test_nodes_that_are_closed_to_it_are_left_out_with_the_mend() -> None:
    """One is cordoned, two bear the taint of GPU nodes, one is open. Tolerating the taint opens two; nothing opens a node that
    is cordoned but a toleration of the cordon itself, as a DaemonSet has it."""
    closed = [gpu_node("c", taints=(CORDONED,)), gpu_node("g1", taints=(GPU,)), gpu_node("g2", taints=(GPU,))]
    client = client_over(gpu_node("a"), *closed)
    answer = ask(client, cpu_cores=4, gpus=1)
    assert {c["node"] for c in answer["candidates"]} == {"prod/a"}
    assert answer["notes"][0] == (
        "3 nodes left out: 2 tainted nvidia.com/gpu=present:NoSchedule, 1 cordoned; `kubectl uncordon` opens them, add a"
        " toleration to use them"
    )
    assert [(why["count"], why["reason"]) for why in answer["refused"]] == [
        (2, "it is tainted nvidia.com/gpu=present:NoSchedule: add a toleration to use it"),
        (1, "it is cordoned: `kubectl uncordon` opens it"),
    ]
    borne = ask(client, cpu_cores=4, gpus=1, tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}])
    assert {c["node"] for c in borne["candidates"]} == {"prod/a", "prod/g1", "prod/g2"}
    everything = ask(client, cpu_cores=4, gpus=1, tolerations=[{"operator": "Exists"}])
    assert everything["eligible_nodes"] == 4
    assert not any("left out" in note for note in everything["notes"])


def test_nodes_that_would_not_do_anyway_are_not_said_to_be_left_out_by_taints() -> None:
    """A control plane without a GPU, and a cordoned node of another model: no toleration makes them fit. A full one neither."""
    plane = gpu_node("plane", gpus=0, taints=(Taint("node-role.kubernetes.io/control-plane", "NoSchedule"),))
    full, other = gpu_node("full", busy=8, taints=(GPU,)), gpu_node("other", model=H100, taints=(CORDONED,))
    answer = ask(client_over(gpu_node("a"), plane, full, other), cpu_cores=1, gpus=1, gpu_models=["A100-SXM-80"])
    assert not any("left out" in note for note in answer["notes"])
    assert sorted(why["reason"].partition(":")[0] for why in answer["refused"]) == [
        "it is tainted nvidia.com/gpu=present",
        "its GPU model or labels are not those asked for",
    ]


def test_where_nobody_tells_of_taints_it_says_that_it_does_not_know() -> None:
    """Such a node may be taken, and the answer says that it may be closed."""
    answer = ask(client_over(gpu_node("a", taints=None), gpu_node("b")), cpu_cores=4, gpus=1)
    assert answer["eligible_nodes"] == 2
    assert answer["basis"]["nodes_with_unknown_taints"] == 1
    assert answer["notes"][0].startswith(
        "of 1 nodes no source tells whether they are tainted or cordoned, so they may be"
    )


def test_what_runs_there_may_be_not_known_either() -> None:
    """An import without requests of pods, or of some alone: what is not told counts as free, which is said."""
    blind = (Coverage("prometheus", "allocations", False, "why"), Coverage("prometheus", "gpu_holders", False, "why"))
    notes = ask(client_over(gpu_node("a", coverage=blind), gpu_node("b")), cpu_cores=4, gpus=1)["notes"]
    assert [note.partition(": who")[0] for note in notes] == [
        "what stands on 1 nodes is not all told, so less may be free there; their `coverage` says what is needed",
        "on 1 nodes GPUs that count as free are in use",
    ]


def test_nodes_that_fell_silent_are_named() -> None:
    """A collector tells of its node every ten minutes; who is silent three times as long may be down. The view's newest
    message is of 1 s: those of 1,800 s before it and older."""
    ages = {"fresh": 0, "quiet": 1_799, "a": 1_801, "b": 9_000, "c": 9_000, "d": 9_000}
    client = client_over(*(gpu_node(name, time_ms=1000 - 1000 * age) for name, age in ages.items()))
    notes = ask(client, cpu_cores=4, gpus=1)["notes"]
    assert notes == ["4 nodes have not reported for over 30 minutes and may be down: prod/a, prod/b, prod/c, ..."]


@pytest.mark.parametrize(
    ("toleration", "said"),
    [
        ({"value": "x"}, "operator must be Exists"),
        ({"key": "a", "operator": "Exists", "value": "x"}, "value must be empty"),
        ({"key": "a", "operator": "Lt", "value": "1"}, "'Equal' or 'Exists'"),
        ({"key": "a", "effect": "NoScedule"}, "'NoSchedule'"),
        ({"taint": "a"}, "no such parameter"),
    ],
)
def test_a_toleration_that_kubernetes_would_refuse_is_refused(toleration: dict[str, str], said: str) -> None:
    """With the field and the mend; an unknown operator would else be a toleration that matches nothing."""
    answer = client_over(gpu_node("a")).post("/v1/place", json={"cpu_cores": 1, "tolerations": [toleration]})
    assert answer.status_code == 422
    assert said in answer.text


def test_a_toleration_may_be_as_it_stands_in_a_pod() -> None:
    """tolerationSeconds is of a pod that runs already."""
    stands = {"key": "maintenance", "effect": "NoExecute", "operator": "Exists", "tolerationSeconds": 300}
    node = gpu_node("a", taints=(Taint("maintenance", "NoExecute"),))
    assert ask(client_over(node), cpu_cores=1, tolerations=[stands])["placed"]
    assert not ask(client_over(node), cpu_cores=1)["placed"]
