"""POST /v1/recommend: what a job should get, from its own history, its kin, or what it asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models.reasons import Action, Reason
from models.taints import Taint
from recommender.api.decide_body import DecisionAnswer, JobRequest
from recommender.api.docs_page import example
from recommender.recommendation_id import recommendation_id
from recommender.view import Snapshot
from tests.recommender.api.deciding import CART, NAN, ask, cart, codes, nodes
from tests.recommender.api.gpu_fleet import client_over
from tests.recommender.api.nodes import GIB, gpu_node
from tests.recommender.kin.fleets import fleet, job, node
from tests.recommender.view_columns import DAY_MS, slab


def test_a_known_workload_gets_its_own_sizes() -> None:
    """CPU: 2 is over 0.7, so the target 0.5; limit 4 was twice the request and stays so: 1. Memory: 1 GiB is under 1.5 GiB,
    so 2 GiB; its limit was equal to the request and stays equal."""
    client = client_over(cart(), nodes(gpu_node("a")))
    limits = {"cpu_limit_cores": 4, "memory_limit_bytes": GIB}
    found = ask(client, workload=CART, cpu_cores=2, memory_bytes=GIB, **limits)
    assert (found["source"], found["confidence_ratio"]) == ("own-history", 0.8)
    assert found["id"] == recommendation_id(CART, 2 * DAY_MS)
    cpu, memory = found["cpu"], found["memory"]
    assert (cpu["action"], cpu["request_cores"], cpu["limit_cores"]) == ("lower", 0.5, 1.0)
    assert (memory["action"], memory["request_bytes"], memory["limit_bytes"]) == ("raise", 2 * GIB, 2 * GIB)
    assert (codes(cpu["reasons"]), codes(memory["reasons"])) == (["percentile"], ["peak"])
    assert found["placement"]["placement"] == [{"node": "prod/a", "gpus": []}]


def test_the_parts_of_its_name_are_as_good_as_its_id() -> None:
    """Kind and name make the id, with cluster, namespace and container."""
    parts = {"cluster": "prod", "namespace": "shop", "kind": "Deployment", "name": "cart", "container": "server"}
    assert ask(client_over(cart(), {}), cpu_cores=2, **parts)["workload"] == CART


def test_a_job_that_names_no_cluster_is_of_the_only_one_there_is() -> None:
    """With two of them nobody knows which."""
    parts = {"namespace": "shop", "kind": "Deployment", "name": "cart", "container": "server"}
    assert ask(client_over(cart(), {}), cpu_cores=2, **parts)["source"] == "own-history"
    slabs = {**cart().slabs, (0, "slab/1"): slab(["lab/shop/Deployment/cart/server"])}
    assert ask(client_over(Snapshot(slabs), {}), cpu_cores=2, **parts)["source"] != "own-history"


def test_what_is_within_the_bounds_stays() -> None:
    """0.6 lies between 0.4 and 0.7: request and limit as they are asked for."""
    cpu = ask(client_over(cart(), {}), workload=CART, cpu_cores=0.6, cpu_limit_cores=3)["cpu"]
    assert (cpu["action"], cpu["request_cores"], cpu["limit_cores"]) == ("leave", 0.6, 3.0)


def test_what_is_not_asked_for_is_set() -> None:
    """The target, and policy's limit beside it where there is one."""
    found = ask(client_over(cart(limit_target=[[NAN, 4 * GIB]]), {}), workload=CART)
    assert (found["cpu"]["action"], found["cpu"]["request_cores"], found["cpu"]["limit_cores"]) == ("set", 0.5, None)
    assert (found["memory"]["request_bytes"], found["memory"]["limit_bytes"]) == (2 * GIB, 4 * GIB)


def test_an_autoscaled_request_is_left_alone() -> None:
    """A new request would change its number of replicas."""
    held = {"action": [[Action.LEAVE, Action.LEAVE]], "reasons": [[int(Reason.AUTOSCALED), 0]]}
    found = ask(client_over(cart(**held), {}), workload=CART, cpu_cores=2, memory_bytes=GIB)
    assert (found["cpu"]["action"], found["cpu"]["request_cores"], found["memory"]["action"]) == ("leave", 2.0, "raise")


def test_a_job_that_nothing_is_known_of_keeps_what_it_asks_for() -> None:
    """With the reason, no confidence, no id, and every null explained."""
    found = ask(client_over(Snapshot(), nodes(gpu_node("a"))), cpu_cores=8, memory_bytes=GIB, gpus=1)
    assert (found["source"], found["confidence_ratio"], codes(found["reasons"])) == ("request", None, ["no-history"])
    assert (found["cpu"]["action"], found["cpu"]["request_cores"]) == ("insufficient", 8.0)
    assert (found["gpu"]["action"], found["gpu"]["take"]["count"]) == ("as-asked", 1)
    for holder in (found, found["cpu"], found["memory"]):
        assert {name for name, value in holder.items() if value is None} == set(holder["missing"])


def test_an_empty_job_is_answered() -> None:
    """Nothing asked for, nothing known: nothing to place."""
    found = ask(client_over(Snapshot(), {}))
    assert (found["placement"], found["gpu"], found["cpu"]["request_cores"]) == (None, None, None)


def kin_of_bert(cores: list[float]) -> Snapshot:
    names = [f"bert-{n}" for n in range(len(cores))]
    images = node(**dict.fromkeys(names, ("ghcr.io/acme/bert:1", "python train.py")))
    return fleet([job(name) for name in names], cores, [20.0] * len(cores), nodes={"c/n": images})


NEW = {"cluster": "c", "namespace": "team", "kind": "Job", "name": "bert-new", "container": "main"}
ASKS = {
    "image": "ghcr.io/acme/bert:2",
    "command": ["python"],
    "args": ["train.py"],
    "cpu_cores": 64,
    "memory_bytes": 256 * GIB,
}


def test_a_new_job_is_sized_by_its_kin() -> None:
    """Thirty jobs of its image peaked at 24 GiB each and used 8 cores at P95: sizes of that order, with a margin on memory."""
    found = ask(client_over(kin_of_bert([4.0] * 30), {}), **NEW, **ASKS)
    assert (found["source"], found["id"], len(found["kin"]) > 0) == ("kin", None, True)
    assert found["confidence_ratio"] > 0.5
    assert 8 <= found["cpu"]["request_cores"] < 10
    assert 1.14 * 24 * GIB <= found["memory"]["request_bytes"] < 1.3 * 24 * GIB
    assert "in nine of ten cases" in found["memory"]["reasons"][0]["sentence"]


def test_kin_that_disagree_size_nothing() -> None:
    """From 0.01 to 100 cores: no size follows, and it says so."""
    cpu = ask(client_over(kin_of_bert([0.01, 1.0, 100.0] * 10), {}), **NEW, **ASKS)["cpu"]
    assert (cpu["action"], cpu["request_cores"], codes(cpu["reasons"])) == ("insufficient", 64.0, ["kin-disagree"])


def test_a_gang_is_sized_per_member_and_placed_whole() -> None:
    """Three members of 0.5 cores; candidates by plain names get the workload's cluster."""
    found = ask(client_over(cart(), nodes(gpu_node("a"))), workload=CART, cpu_cores=2, members=3, nodes=["a"])
    assert (found["members"], len(found["placement"]["placement"])) == (3, 3)


def test_a_job_goes_to_the_nodes_that_it_tolerates() -> None:
    """With room on one node alone, which is tainted."""
    taint = Taint("nvidia.com/gpu", "NoSchedule", "present")
    client = client_over(cart(), nodes(gpu_node("marked", taints=(taint,))))
    borne = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    placed = [
        ask(client, cpu_cores=1, gpus=1, tolerations=tolerations)["placement"]["placed"] for tolerations in ([], borne)
    ]
    assert placed == [False, True]


def test_a_batch_is_answered_in_its_order() -> None:
    """A list for a list; an error names the job."""
    client = client_over(cart(), {})
    found = client.post("/v1/recommend", json=[{"workload": CART}, {"cpu_cores": 1}]).json()
    assert [one["source"] for one in found] == ["own-history", "request"]
    for body, field in (
        ([{"cpu_cores": 1}, {"gpus": "x"}], "[1].gpus"),
        ([{}, {"mig_profile": "3g.40gb"}], "[1].gpus"),
        ([], "body"),
        ([{}] * 101, "body"),
    ):
        answer = client.post("/v1/recommend", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"cpu_cores": -1}, "cpu_cores"),
    ({"cpu_cores": 2, "cpu_limit_cores": 1}, "cpu_limit_cores"),
    ({"memory_bytes": 2, "memory_limit_bytes": 1}, "memory_limit_bytes"),
    ({"gpus": 2, "gpu_share_ratio": 0.5}, "gpu_share_ratio"),
    ({"mig_profile": "3g.40gb"}, "gpus"),
    ({"weights": {"cost": 0}}, "weights"),
    ({"cores": 1}, "cores"),
    ({"priority": "urgent"}, "priority"),
]


@pytest.mark.parametrize(("body", "field"), WRONG)
def test_a_wrong_job_names_field_and_mend(body: dict[str, Any], field: str) -> None:
    """A 422 problem."""
    answer = client_over(Snapshot(), {}).post("/v1/recommend", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    fault = answer.json()["errors"][0]
    assert (fault["field"], len(fault["mend"]) > 5) == (field, True)


FORMS = [
    ({"format": "slurm"}, {}, "text/plain; charset=utf-8"),
    ({"format": "kubernetes-patch"}, {}, "application/strategic-merge-patch+json"),
    ({"format": "dra"}, {}, "application/vnd.sizewise.resourceclaimtemplate+json"),
    ({}, {"Accept": "text/plain"}, "text/plain; charset=utf-8"),
    (
        {},
        {"Accept": "text/html, application/strategic-merge-patch+json;q=0.9"},
        "application/strategic-merge-patch+json",
    ),
    ({"format": "json"}, {"Accept": "text/plain"}, "application/json"),
    ({}, {"Accept": "image/png"}, "application/json"),
]


@pytest.mark.parametrize(("parameters", "headers", "media_type"), FORMS)
def test_the_form_is_asked_for_by_parameter_or_media_type(
    parameters: dict[str, str], headers: dict[str, str], media_type: str
) -> None:
    """The parameter wins; what nobody knows is JSON."""
    client = client_over(cart(), {})
    body = {"workload": CART, "gpus": 1}
    answer = client.post("/v1/recommend", json=body, params=parameters, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)


def test_a_form_that_can_tell_nothing_says_so() -> None:
    """A claim without a GPU, a patch without a container: 422 at `format`, with the mend."""
    client = client_over(Snapshot(), {})
    for form, said in (
        ("dra", "no GPU is asked for"),
        ("kubernetes-patch", "names no container"),
        ("slurm", "nothing to set"),
    ):
        answer = client.post("/v1/recommend", json={}, params={"format": form})
        fault = answer.json()["errors"][0]
        assert (answer.status_code, fault["field"], said in fault["mend"]) == (422, "format", True)


def test_the_documented_examples_are_right() -> None:
    """The job that /docs shows is answered, and the answer shown fits its schema."""
    client = client_over(Snapshot(), nodes(gpu_node("a")))
    document = client.get("/openapi.json").json()
    for body in document["components"]["schemas"]["JobRequest"]["examples"]:
        assert JobRequest.model_validate(body)
        ask(client, **body)
    assert DecisionAnswer.model_validate(example(document, {"$ref": "#/components/schemas/DecisionAnswer"}))


def test_the_time_of_a_snapshot_does_not_matter() -> None:
    """The same job over the same columns: the same answer, whatever was read since."""
    first, later = cart(), replace(cart(), newest_ms=10**12)
    bodies = [ask(client_over(s, {}), workload=CART, cpu_cores=2) for s in (first, later)]
    assert [body["cpu"] for body in bodies] == [bodies[0]["cpu"]] * 2


@pytest.mark.parametrize(
    "body", [b'{"members": 1180591620717411303424}', b'{"workload": "\\ud800", "nodes": ["\\udfff"]}']
)
def test_what_no_json_writer_likes_is_told_all_the_same(body: bytes) -> None:
    """A number of 71 bits and half a character are refused or answered by name, never with a 500."""
    for form in ("json", "slurm"):
        client = client_over(Snapshot(), {})
        answer = client.post(f"/v1/recommend?format={form}", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (200, 422)
        assert answer.json() if answer.headers["content-type"].endswith("json") else answer.text
