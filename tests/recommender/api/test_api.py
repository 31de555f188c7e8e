"""The REST API, in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from models.events import WorkloadEvent
from models.inventory import Allocation, Coverage, Node
from models.metrics import NullMeter
from models.reasons import Action, Reason
from models.workload import WorkloadName
from recommender.api import answers, problems
from recommender.api.app import create_app
from recommender.api.docs_page import example
from recommender.api.settings import ApiSettings
from recommender.view import Snapshot, View
from tests.recommender.view_columns import DAY_MS, GIB, slab

A = "prod/shop/Deployment/cart/server"
B = str(WorkloadName("prod", "shop", "slurm-job", "a/b é%", ""))
C = "lab/host/unit/x/recommendation"
NAN = float("nan")


class CountingMeter(NullMeter):
    def __init__(self) -> None:
        self.counts: list[dict[str, str]] = []

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        super().count(name)
        self.counts.append(labels)


def known_snapshot() -> Snapshot:
    part = slab(
        [A, B, C],
        profile={"newest_day": 2, "daily_peak": 1.5, "covered_ms": 3_600_000},
        action=[[Action.LOWER, Action.RAISE], [Action.SET] * 2, [Action.INSUFFICIENT] * 2],
        reasons=[[int(Reason.PERCENTILE | Reason.MARGIN), int(Reason.OOM_BUMP)], [0, 0], [0, 0]],
        request_now=[[2, GIB], [NAN, NAN], [NAN, NAN]],
        target=[[0.5, 2 * GIB], [1, GIB], [NAN, NAN]],
        computed_ms=[2 * DAY_MS, 2 * DAY_MS, 0],
        evidence_from_ms=DAY_MS,
        evidence_to_ms=2 * DAY_MS,
    )
    seen = Coverage("cgroup", "cpu_pressure_ratio", False, "PSI is off: boot with psi=1")
    node = Node("prod", "n1", 1, allocations=(Allocation(A, "i1"), Allocation(A, "i2")), coverage=(seen,))
    return Snapshot({(0, "slab/0"): part}, {"prod/n1": node}, (WorkloadEvent("started", A, "i1", "n1", DAY_MS),), 1)


def client_over(snapshot: Snapshot, meter: NullMeter | None = None, **kept: Any) -> TestClient:
    view = View()
    view.snapshot, view.missing = snapshot, {}
    ticks = itertools.count()
    app = create_app(
        view, ApiSettings(), meter or NullMeter(), lambda: float(next(ticks)), lambda: (b"up 1\n", "text/plain")
    )
    return TestClient(app, base_url="http://localhost:8080", **kept)


@pytest.fixture(scope="module")
def client() -> TestClient:
    return client_over(known_snapshot())


def test_a_page_of_workloads_fits_its_documented_model(client: TestClient) -> None:
    """Every field is there, nothing else, and the numbers are those of the columns."""
    body = client.get("/v1/workloads", params={"sort": "id"}).json()
    page = answers.WorkloadPage.model_validate(body, extra="forbid")
    assert [workload.id for workload in page.workloads] == [C, A, B]
    cart = body["workloads"][1]
    assert cart["cpu"]["saving_cores"] == 1.5
    assert cart["memory"]["saving_bytes"] == -GIB
    assert cart["instances_now"] == 2
    assert [reason["code"] for reason in cart["cpu"]["reasons"]] == ["percentile", "margin"]
    assert cart["first_seen"] == "1970-01-02T00:00:00.000Z"


def nulls(body: Any) -> list[tuple[dict[str, Any], str]]:
    """Every null of a body, with the object that holds it."""
    if isinstance(body, list):
        return [found for item in body for found in nulls(item)]
    if not isinstance(body, dict):
        return []
    return [(body, key) for key, value in body.items() if value is None] + [
        found for value in body.values() for found in nulls(value)
    ]


def test_every_null_of_a_workload_has_its_reason(client: TestClient) -> None:
    """A value that is not known is null with a sentence beside it, and no sentence stands beside a value."""
    workloads = client.get("/v1/workloads").json()["workloads"]
    found = nulls(workloads)
    assert found
    for holder, key in found:
        assert len(holder["missing"][key]) > 10
    for workload in workloads:
        for holder in (workload, workload["cpu"], workload["memory"]):
            assert all(holder[key] is None for key in holder["missing"])


def test_totals_count_instances_and_compare_like_with_like(client: TestClient) -> None:
    """cart: 2 instances x 2 cores requested, 2 x 0.5 needed. B has no request: 1 core beside. C has no target."""
    totals = client.get("/v1/workloads").json()["totals"]
    assert totals["cpu_cores"] == {
        "requested": 4.0,
        "needed": 1.0,
        "needed_without_request": 1.0,
        "workloads_compared": 1,
    }


def test_pages_lead_to_the_next_and_keep_the_filter(client: TestClient) -> None:
    """Following `next` from a page of one walks through all that match."""
    path, seen = "/v1/workloads?cluster=prod&limit=1&sort=id", []
    while path:
        body = client.get(path).json()
        seen += [workload["id"] for workload in body["workloads"]]
        path = body["next"]
    assert seen == [A, B]


@pytest.mark.parametrize("workload", [A, B, C])
@pytest.mark.parametrize("encode", [str, lambda text: quote(text, safe="")])
def test_a_workload_is_found_by_its_id_however_it_is_encoded(
    client: TestClient, workload: str, encode: Callable[[str], str]
) -> None:
    """As it is and percent-encoded as a whole; with a slash inside a part, and called `recommendation`."""
    body = client.get(f"/v1/workloads/{encode(workload)}").json()
    assert answers.WorkloadDetail.model_validate(body, extra="forbid").id == workload


def test_a_last_slash_that_a_proxy_cut_is_forgiven(client: TestClient) -> None:
    """An id with an empty container ends in a slash; without it, it means the same."""
    assert client.get(f"/v1/workloads/{B.rstrip('/')}").json()["id"] == B
    assert client.get(f"/v1/workloads/{B.rstrip('/')}/recommendation").json()["id"] == B


def test_a_detail_says_what_the_profile_holds(client: TestClient) -> None:
    """Days, events, nodes; a signal that was never seen has the reason that its node gave."""
    body = client.get(f"/v1/workloads/{A}").json()
    assert body["nodes"] == ["prod/n1"]
    assert body["days"][-1] == {
        "day": "1970-01-03",
        "cpu_peak_cores": 1.5,
        "cpu_p95_cores": None,
        "memory_peak_bytes": 1.5,
        "memory_p95_bytes": None,
    }
    assert [event["kind"] for event in body["events"]] == ["started"]
    missing = {signal["name"]: signal["missing"] for signal in body["signals"]}
    assert missing["cpu_pressure_ratio"] == "PSI is off: boot with psi=1"
    assert missing["cpu_cores"] == "no source gave a value for this workload"


def test_a_recommendation_stands_alone(client: TestClient) -> None:
    """With its evidence window; one that was not made yet is a 404 that says so."""
    body = client.get(f"/v1/workloads/{A}/recommendation").json()
    answers.RecommendationAnswer.model_validate(body, extra="forbid")
    assert body["cpu"]["target_cores"] == 0.5
    late = client.get(f"/v1/workloads/{C}/recommendation")
    assert (late.status_code, late.json()["title"]) == (404, "No recommendation yet")


def test_nodes_are_listed_and_filtered(client: TestClient) -> None:
    """By exact cluster."""
    assert client.get("/v1/nodes").json()["nodes"][0]["coverage"][0]["reason"] == "PSI is off: boot with psi=1"
    assert client.get("/v1/nodes?cluster=lab").json() == {"nodes": [], "total": 0}


PROBLEMS = [
    ("GET", "/v1/workloads?limit=many", 422, "limit", "many"),
    ("GET", "/v1/workloads?limit=0", 422, "limit", "0"),
    ("GET", "/v1/workloads?limit=1001", 422, "limit", 1001),
    ("GET", "/v1/workloads?sort=colour", 422, "sort", "colour"),
    ("GET", "/v1/workloads?action=grow", 422, "action", "grow"),
    ("GET", "/v1/workloads?namespce=shop", 422, "namespce", "shop"),
    ("GET", "/v1/workloads?min_cpu_saving_cores=x", 422, "min_cpu_saving_cores", "x"),
    ("GET", "/v1/workloads/no/such/work/load/", 404, "id", "no/such/work/load/"),
    ("GET", "/v1/workloads/nonsense/recommendation", 404, "id", "nonsense"),
    ("GET", "/v1/nothing", 404, None, None),
    ("DELETE", "/v1/workloads", 405, None, None),
]


@pytest.mark.parametrize(("method", "path", "status", "field", "value"), PROBLEMS)
def test_every_error_is_a_problem_that_names_field_value_and_mend(
    client: TestClient, method: str, path: str, status: int, field: str | None, value: object
) -> None:
    """RFC 9457: the media type, the five members, and per fault what was sent and what would be right."""
    answer = client.request(method, path)
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, body["status"]) == (status, status)
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == path.partition("?")[0]
    if field:
        assert (body["errors"][0]["field"], body["errors"][0]["value"]) == (field, value)
        assert body["errors"][0]["mend"]


def test_a_crash_is_a_problem_without_its_inner_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client learns that it was not its fault, and no traceback."""
    monkeypatch.setattr("recommender.api.listing.ask", lambda *_: 1 / 0)
    answer = client_over(known_snapshot(), raise_server_exceptions=False).get("/v1/workloads")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "division" not in answer.text


def test_a_foreign_host_name_is_refused() -> None:
    """A page elsewhere that points its own name at 127.0.0.1 cannot read the answers."""
    client = client_over(known_snapshot())
    answer = client.get("/v1/workloads", headers={"host": "evil.example"})
    assert (answer.status_code, answer.json()["title"]) == (400, "Host not allowed")
    assert client.get("/healthz", headers={"host": "[::1]:8080"}).status_code == 200


def test_a_body_says_its_length_and_is_not_too_long() -> None:
    """It is read whole: 413 before a byte of it is read, and 411 for one that comes in chunks of no known number."""
    client = client_over(known_snapshot())
    large = client.post("/v1/place", content=b" " * (ApiSettings().body_limit_bytes + 1))
    assert (large.status_code, large.json()["errors"][0]["field"]) == (413, "Content-Length")
    endless = client.post("/v1/place", content=iter([b"{}"]))
    assert (endless.status_code, endless.json()["errors"][0]["field"]) == (411, "Transfer-Encoding")


def test_ready_means_caught_up_once() -> None:
    """Before, 503 says what is missing; alive it is all the time."""
    client = client_over(known_snapshot())
    assert client.get("/readyz").json() == {"status": "ready", "workloads": 3}
    view = View()
    view.missing = {"profiles": "not read to its end yet"}
    fresh = TestClient(
        create_app(view, ApiSettings(), NullMeter(), lambda: 0.0, lambda: (b"", "")), base_url="http://localhost"
    )
    assert fresh.get("/healthz").json() == {"status": "ok"}
    answer = fresh.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "profiles: not read to its end yet")


def test_requests_are_counted_by_route_template_and_never_by_id() -> None:
    """Labels are bounded: the template of the route, or `unmatched`."""
    meter = CountingMeter()
    client = client_over(known_snapshot(), meter)
    for path in (f"/v1/workloads/{A}", f"/v1/workloads/{A}/recommendation", "/v1/workloads?limit=x", "/x", "/metrics"):
        client.get(path)
    assert meter.counts == [
        {"route": "/v1/workloads/{id}", "status": "200"},
        {"route": "/v1/workloads/{id}/recommendation", "status": "200"},
        {"route": "/v1/workloads", "status": "422"},
        {"route": "unmatched", "status": "404"},
        {"route": "/metrics", "status": "200"},
    ]


def test_the_openapi_document_holds_together(client: TestClient) -> None:
    """Every reference resolves, every quantity says its unit, every parameter has a description."""
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]

    def references(node: Any) -> list[str]:
        if isinstance(node, list):
            return [ref for item in node for ref in references(item)]
        if not isinstance(node, dict):
            return []
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for value in node.values() for ref in references(value)]

    assert {ref.rpartition("/")[2] for ref in references(document)} <= set(schemas)
    for name, unit in (("CpuSizing", "cores"), ("MemorySizing", "bytes")):
        plain = {"action", "reasons", "missing", "expected_slack_ratio", "overrun_risk_ratio"}
        assert all(field.endswith(f"_{unit}") for field in set(schemas[name]["properties"]) - plain)
    for spec in (spec for item in document["paths"].values() for spec in item.values()):
        assert spec["summary"]
        assert all(parameter["description"] for parameter in spec.get("parameters", []))


@pytest.mark.parametrize("model", ["WorkloadPage", "WorkloadDetail", "RecommendationAnswer", "NodeList", "ProblemBody"])
def test_the_documented_example_of_an_answer_fits_its_schema(client: TestClient, model: str) -> None:
    """What /docs shows as an answer is one."""
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    sample = example(document, {"$ref": f"#/components/schemas/{model}"})
    kind = problems.ProblemBody if model == "ProblemBody" else getattr(answers, model)
    assert kind.model_validate(sample)


def test_the_docs_page_names_every_route_and_loads_nothing_from_elsewhere(client: TestClient) -> None:
    """It works where no other site is reached."""
    html = client.get("/docs").text
    assert all(f"{path}<" in html for path in client.get("/openapi.json").json()["paths"])
    assert "src=" not in html
    assert "http" not in html.replace("https://github.com/sizewise", "")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(path=st.text(st.characters(codec="utf-8", exclude_characters="?#"), max_size=40))
def test_no_path_makes_the_server_fail(client: TestClient, path: str) -> None:
    """Whatever stands in the place of an id, the answer is 200 or a 404 problem."""
    answer = client.get("/v1/workloads/" + quote(path, safe="/"))
    assert answer.status_code in (200, 404, 307)
