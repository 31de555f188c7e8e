"""The gate before the API: deny by default, and errors that say what is wrong."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fastapi import APIRouter  # noqa: TID251 - a route that declares nothing is made here
from starlette.testclient import TestClient

from models.audit import AuditEntry
from models.metrics import NullMeter
from recommender.access.book import TokenBook
from recommender.access.failures import Failures
from recommender.access.guard import Guard
from recommender.access.scope import EVERYTHING, VERBS, Scope
from recommender.access.seal import Sealer
from recommender.access.token import NewToken, certificate_grant, new_token
from recommender.api.app import create_app
from recommender.api.feed_routes import Readers
from recommender.api.gate import OPEN, VERB_KEY, RouteTable, UndeclaredRouteError, needs
from recommender.api.problems import Problem
from recommender.api.settings import ApiSettings
from recommender.audit import AuditTrail
from recommender.view import View
from tests.recommender.access.fleets import MINE, NOW_MS, OURS, THEIRS, Facts, Fleet
from tests.recommender.view_columns import DAY_MS


class Kept(AuditTrail):
    def __init__(self) -> None:
        super().__init__(NullMeter())
        self.entries: list[AuditEntry] = []

    def write(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


def token(*verbs: str, namespaces: tuple[str, ...] = MINE) -> NewToken:
    return new_token("t", Scope.of(verbs, namespaces), NOW_MS, NOW_MS + DAY_MS)


TOKENS = {verb: token(verb) for verb in VERBS} | {"admin": token(*VERBS, namespaces=("*",))}
REVOKED = new_token("gone", EVERYTHING, NOW_MS, NOW_MS + DAY_MS)


class Api:
    """The API over a small fleet, that asks who is there; `trail` holds what it put on record."""

    def __init__(self, guarded: bool = True, complete: bool = True) -> None:
        self.trail, self.book, view = Kept(), TokenBook(), View()
        grant = certificate_grant("scheduler", "s", Scope.of(["extend"], ["*"]), NOW_MS, NOW_MS + DAY_MS)
        self.book.replace({t.kept.id: t.kept for t in TOKENS.values()} | {grant.id: grant})
        self.book.complete = complete
        view.snapshot = Fleet([Facts(name, 1, False) for name in (OURS[0], THEIRS[0])], [], []).snapshot()
        view.missing = {}
        guard = Guard(self.book, self.trail, NullMeter(), lambda: self.now_ms()) if guarded else None
        self.now_ms: Callable[[], int] = lambda: NOW_MS
        exposition = lambda: (b"up 1\n", "text/plain")  # noqa: E731 - a function of no arguments
        self.app = create_app(view, ApiSettings(ask_who=guarded), NullMeter(), lambda: 0.0, exposition, guard)
        self.client = TestClient(self.app, base_url="http://localhost:8080", follow_redirects=False)

    def get(self, path: str, shown: NewToken | None = None, headers: Mapping[str, str] | None = None) -> Any:
        said = {"Authorization": f"Bearer {shown.text}"} if shown else {}
        return self.client.get(path, headers=said | dict(headers or {}))


def test_every_documented_route_declares_its_verb_or_is_open() -> None:
    """The document says which verb each needs, and that a token is needed; the open ones are the five of the gate."""
    document = Api().get("/openapi.json").json()
    for path, item in document["paths"].items():
        for operation in item.values():
            if path in OPEN:
                assert VERB_KEY not in operation
            else:
                assert operation[VERB_KEY] in VERBS
                assert operation["security"] == [{"token": []}]
                assert {"401", "403", "429"} <= set(operation["responses"])


def test_without_a_token_nothing_but_the_open_paths_is_answered() -> None:
    """Every route of the document, a path that does not exist, and a method that does not: 401, with the challenge."""
    api = Api()
    document = api.get("/openapi.json").json()
    asked = {path.replace("{id}", OURS[0]) for path in document["paths"]} | OPEN | {"/nothing", "/v1", "/docs/"}
    for path in sorted(asked):
        for method in ("GET", "POST", "DELETE"):
            answer = api.client.request(method, path)
            if path in OPEN:
                assert answer.status_code != 401
            else:
                assert answer.status_code in (401, 429)
                assert answer.headers["content-type"] == "application/problem+json"
                if answer.status_code == 401:
                    assert answer.headers["www-authenticate"] == 'Bearer realm="sizewise"'


def test_a_route_that_declares_nothing_cannot_be_served() -> None:
    """The application is not made at all: the mend is in the message. A verb that does not exist is none."""
    routes = APIRouter()
    routes.add_api_route("/v1/secrets", lambda: "all of them")
    with pytest.raises(UndeclaredRouteError, match="/v1/secrets declares no verb"):
        RouteTable([routes])
    odd = APIRouter()
    odd.add_api_route("/v1/secrets", lambda: "all", openapi_extra={VERB_KEY: "anything"})
    with pytest.raises(UndeclaredRouteError):
        RouteTable([odd])
    mounted = APIRouter()
    mounted.mount("/files", Api().app)
    with pytest.raises(UndeclaredRouteError, match="/files"):
        RouteTable([mounted])


def test_what_is_added_past_the_table_is_not_reached() -> None:
    """A route put on the application itself is not in the table, so nobody gets there, not even who may do everything."""
    api = Api()
    api.app.add_api_route("/v1/back-door", lambda: "open")
    assert api.get("/v1/back-door", TOKENS["admin"]).status_code == 404
    assert api.get("/v1/back-door").status_code == 401


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("read", "/v1/workloads", 200),
        ("place", "/v1/workloads", 403),
        ("metrics", "/v1/nodes", 403),
        ("read", "/metrics", 403),
        ("metrics", "/metrics", 403),
        ("admin", "/metrics", 200),
        ("read", "/v1/place", 403),
        ("place", "/v1/place", 405),
        ("read", "/nothing", 404),
    ],
)
def test_a_token_does_what_its_verbs_say(verb: str, path: str, status: int) -> None:
    """`metrics` over two namespaces is not enough for /metrics, which speaks of all."""
    api = Api()
    answer = api.get(path, TOKENS[verb])
    assert answer.status_code == status
    if status == 403:
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        (entry,) = api.trail.entries
        assert (entry.who, entry.decision, entry.reason, entry.object) == (
            f"token:{TOKENS[verb].kept.id}",
            "denied",
            "verb-not-allowed",
            f"GET {path}",
        )


def test_who_asks_is_looked_at_before_the_body_is() -> None:
    """A body that is no JSON, and one whose verb is not allowed: the answer is about the token, not about the body."""
    api = Api()
    for shown, status in ((None, 401), (TOKENS["read"], 403), (TOKENS["place"], 422)):
        said = {"Authorization": f"Bearer {shown.text}"} if shown else {}
        assert api.client.post("/v1/place", content=b"{", headers=said).status_code == status


@pytest.mark.parametrize("name", ["token", "access_token", "authorization"])
def test_a_token_in_the_address_is_not_taken(name: str) -> None:
    """It is told to revoke it: addresses stand in logs. The record has the path alone."""
    api = Api()
    answer = api.get(f"/v1/workloads?{name}={TOKENS['read'].text}")
    assert answer.status_code == 401
    assert "revoke it" in answer.json()["detail"]
    assert [entry.object for entry in api.trail.entries] == ["GET /v1/workloads"]


def test_a_token_that_was_never_made_here_is_unknown() -> None:
    answer = Api().get("/v1/workloads", REVOKED)
    assert (answer.status_code, answer.json()["type"].partition("#")[2]) == (401, "unknown-token")
    assert answer.headers["www-authenticate"] == 'Bearer realm="sizewise", error="invalid_token"'


def test_before_the_tokens_were_read_the_answer_is_to_come_again() -> None:
    """503 with Retry-After, and nothing on record: nobody was denied."""
    api = Api(complete=False)
    answer = api.get("/v1/workloads", REVOKED)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert api.trail.entries == []


def test_many_failures_from_one_address_are_told_to_wait() -> None:
    """The 21st in a moment: 429 with the time to wait; a good token from there is answered."""
    api = Api()
    found = [api.get("/v1/workloads") for _ in range(21)]
    assert [answer.status_code for answer in found] == [401] * 20 + [429]
    assert int(found[-1].headers["retry-after"]) >= 1
    assert api.get("/v1/workloads", TOKENS["read"]).status_code == 200


def test_addresses_of_one_ipv6_network_are_one() -> None:
    """A machine has the 2^64 addresses of its /64 to choose from, and an IPv4 client of a dual-stack socket has one."""
    failures = Failures(burst=3)
    assert [failures.failed(f"2001:db8::{n}", 0.0) > 0 for n in range(1, 6)] == [False] * 3 + [True] * 2
    assert failures.failed("2001:db8:0:1::1", 0.0) == 0
    assert [failures.failed(at, 0.0) > 0 for at in ("::ffff:10.0.0.1", "::ffff:10.0.0.2")] == [False, False]


def test_a_token_in_a_path_is_cut_on_record() -> None:
    """Its public part stays, which tells whom to revoke."""
    api = Api()
    text = TOKENS["read"].text
    api.get(f"/v1/workloads/{text}", TOKENS["read"])
    (entry,) = api.trail.entries
    assert entry.object == f"GET /v1/workloads/szw_{TOKENS['read'].kept.id}_..."


def test_what_a_tenant_does_not_find_is_on_record_whether_it_is_there_or_not() -> None:
    """The administrator sees who asks around; the tenant cannot tell the two apart."""
    api = Api()
    for workload in (THEIRS[0], "prod/bank/Deployment/nobody/x"):
        assert api.get(f"/v1/workloads/{workload}", TOKENS["read"]).status_code == 404
    assert [entry.reason for entry in api.trail.entries] == ["not-found-or-not-seen"] * 2
    assert api.get("/v1/workloads/nobody", TOKENS["admin"]).status_code == 404
    assert len(api.trail.entries) == 2


def test_packing_what_stands_needs_every_namespace() -> None:
    """It moves whoever is there. A tenant may plan with GPUs that it describes."""
    api = Api()
    wish = {"workloads": [{"name": "w", "mig_profiles": ["3g.40gb"]}]}
    said = {"Authorization": f"Bearer {TOKENS['place'].text}"}
    assert api.client.post("/v1/pack", json=wish, headers=said).status_code == 403
    assert [(entry.verb, entry.reason) for entry in api.trail.entries] == [("place", "scope-too-narrow")]
    paper = wish | {"kinds": [{"model": "A100-SXM-80"}]}
    assert api.client.post("/v1/pack", json=paper, headers=said).status_code == 200


def test_readiness_tells_no_count_where_tokens_are_asked() -> None:
    assert Api().get("/readyz").json() == {"status": "ready", "workloads": None}
    assert Api(guarded=False).get("/readyz").json() == {"status": "ready", "workloads": 2}


def test_on_loopback_nobody_is_asked_and_hosts_are_checked() -> None:
    """Without a guard everybody sees everything; a foreign Host is refused there, and not where tokens are asked."""
    api = Api(guarded=False)
    assert api.get("/v1/workloads").json()["total"] == 2
    assert api.get("/metrics").status_code == 200
    assert api.get("/v1/workloads", headers={"Host": "evil.example"}).status_code == 400
    assert Api().get("/v1/workloads", TOKENS["read"], headers={"Host": "sizewise.example"}).json()["total"] == 1


def test_a_request_keeps_its_id_and_a_hostile_one_is_replaced() -> None:
    """The id is in the answer and in the record."""
    api = Api()
    assert api.get("/v1/nodes", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert api.trail.entries[-1].request_id == "abc-1"
    made = api.get("/v1/nodes", headers={"X-Request-Id": "a b\x00" * 99}).headers["x-request-id"]
    assert len(made) == 16


def test_needs_names_a_verb_that_exists() -> None:
    for verb in VERBS:
        assert needs(verb)[VERB_KEY] == verb


def test_an_event_stream_ends_with_its_token() -> None:
    """The token expires while it streams: what was told before was told, and then it ends."""
    api = Api()
    api.book.sealer = Sealer(bytes(32))
    looks = itertools.count()
    api.now_ms = lambda: NOW_MS if next(looks) < 4 else NOW_MS + DAY_MS
    answer = api.get("/v1/recommendations", TOKENS["read"], {"Accept": "text/event-stream"})
    assert answer.status_code == 200
    assert b"event: set" in answer.content
    assert api.get("/v1/recommendations", TOKENS["read"]).status_code == 401


@pytest.mark.parametrize("shown", [TOKENS["read"], TOKENS["admin"]])
def test_a_wait_for_changes_ends_with_its_token(shown: NewToken) -> None:
    """The token expires while the request waits: 401 and not what changed meanwhile; on record, of an administrator too."""
    api = Api()
    api.book.sealer = Sealer(bytes(32))
    cursor = api.get("/v1/recommendations", shown).json()["cursor"]
    looks = itertools.count()
    api.now_ms = lambda: NOW_MS if next(looks) < 2 else NOW_MS + DAY_MS
    answer = api.get(f"/v1/recommendations?wait=3600&since={cursor}", shown)
    assert (answer.status_code, answer.json()["type"].partition("#")[2]) == (401, "ended-token")
    assert [(entry.who, entry.reason) for entry in api.trail.entries] == [(f"token:{shown.kept.id}", "ended-token")]


def test_readers_of_one_token_take_no_place_of_others() -> None:
    """Of one place each: a second reader of one is told to come back, by the limit and not by how many there are."""
    readers = Readers(1, NullMeter())
    readers.come("token:a")
    readers.come("token:b")
    with pytest.raises(Problem, match="1 readers wait with this token already"):
        readers.come("token:a")
    readers.go("token:a")
    readers.come("token:a")
