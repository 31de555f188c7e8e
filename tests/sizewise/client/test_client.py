"""The client, against the real API in a real server."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import msgspec
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from recommender.api import answers, decide_body
from sizewise.client import (
    ApiError,
    Changed,
    Client,
    Job,
    Removed,
    Reset,
    Spot,
    UnavailableError,
)
from sizewise.client import answers as told
from sizewise.client.errors import AnswerError
from tests.recommender.api.test_feed import A, B, Fleet


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """A server of its own thread on a free port; its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    made = Fleet()
    made.write(cart=1, pay=2)
    return made


@pytest.fixture(scope="module")
def url(fleet: Fleet) -> Iterator[str]:
    with serving(fleet.app()) as found:
        yield found


def test_a_job_is_decided_on(url: str) -> None:
    """Alone, and in a list, and in the words of Slurm."""
    job = Job(workload=A, cpu_cores=8, memory_bytes=2**30, spot=Spot(checkpoint_cost_s=30), command=("python", "x.py"))
    with Client(url) as client:
        decision = client.recommend(job)
        assert (decision.source, decision.cpu.request_cores) == ("own-history", 1.0)
        assert [one.workload for one in client.recommend([job, Job(cpu_cores=1)])] == [A, None]
        assert "#SBATCH --cpus-per-task=1\n" in client.rendered(job, "slurm")


def test_workloads_and_recommendations_are_read(url: str) -> None:
    """Pages are followed to the end."""
    with Client(url) as client:
        assert [workload.id for workload in client.workloads(sort="id", limit=1)] == [A, B]
        assert client.recommendation(B).cpu.target_cores == 2.0


def test_what_is_refused_says_what_and_why(url: str) -> None:
    """The problem with its fields."""
    with Client(url) as client:
        with pytest.raises(ApiError, match="cpu_cores = -1") as wrong:
            client.recommend(Job(cpu_cores=-1))
        assert (wrong.value.status, wrong.value.kind, wrong.value.faults[0].field) == (
            422,
            "invalid-parameter",
            "cpu_cores",
        )
        with pytest.raises(ApiError) as unknown:
            client.recommendation("a/b/c/d/e")
        assert unknown.value.kind == "unknown-workload"


def test_changes_come_as_they_are_made_and_go_on_where_they_stopped() -> None:
    """Reset and two workloads; then one that changes; a second client goes on at a cursor; one that goes."""
    fleet = Fleet()
    fleet.write(cart=1, pay=2)
    with serving(fleet.app()) as url, Client(url) as client:
        changes = client.changes(wait_s=5)
        first = list(islice(changes, 3))
        assert [type(event) for event in first] == [Reset, Changed, Changed]
        assert [event.cursor is None for event in first] == [True, True, False]
        fleet.write(cart=1, pay=3)
        changed = next(changes)
        assert isinstance(changed, Changed)
        assert (changed.workload, changed.cpu.target_cores) == (B, 3.0)
        fleet.write()
        with Client(url) as other:
            gone = list(islice(other.changes(since=changed.cursor, wait_s=5), 2))
        assert [(type(event), event.workload) for event in gone if isinstance(event, Removed)] == [
            (Removed, A),
            (Removed, B),
        ]


class Odd:
    """A server that answers what it is told, one after another, and counts."""

    def __init__(self, *answers: Response) -> None:
        self.answers, self.asked, self.headers = list(answers), 0, dict[str, str]()
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> Response:
        self.asked += 1
        self.headers = dict(request.headers)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


PAGE = JSONResponse({"workloads": [], "next": None, "of_a_newer_server": 1})
BUSY = JSONResponse({"title": "busy", "status": 503}, 503, headers={"Retry-After": "2"})
CASES: list[tuple[list[Response], Callable[[Client], Any], int, list[float]]] = [
    ([BUSY, PAGE], lambda c: list(c.workloads()), 2, [2.0]),
    ([BUSY, BUSY, BUSY, BUSY], lambda c: list(c.workloads()), 4, [2.0, 4.0, 5.0]),
    ([BUSY], lambda c: c.recommend(Job()), 4, [2.0, 4.0, 5.0]),
    ([JSONResponse({}, 503)], lambda c: list(c.workloads()), 1, []),
    ([JSONResponse({}, 503, headers={"Retry-After": "3600"})], lambda c: list(c.workloads()), 1, []),
    ([JSONResponse({}, 500)], lambda c: list(c.workloads()), 1, []),
]


@pytest.mark.parametrize(("answers", "ask", "asked", "pauses"), CASES)
def test_what_is_busy_is_asked_again_when_it_says_so(
    answers: list[Response], ask: Callable[[Client], Any], asked: int, pauses: list[float]
) -> None:
    """503 with Retry-After, for any method, with growing pauses; without it, or for an hour, never; nor 500."""
    odd, slept = Odd(*answers), list[float]()
    with serving(odd.app) as url, Client(url, token="szw_secret", sleep=slept.append) as client:
        if answers[-1] is PAGE:
            assert ask(client) == []
        else:
            with pytest.raises(ApiError):
                ask(client)
    assert (odd.asked, slept, odd.headers["authorization"]) == (asked, pauses, "Bearer szw_secret")


def test_a_server_that_is_not_there_is_asked_again_only_for_what_may_be_repeated() -> None:
    """Nobody listens: three more tries for a GET, none for a POST."""
    with serving(Odd(PAGE).app) as url:
        pass
    slept: list[float] = []
    with Client(url, sleep=slept.append) as client:
        with pytest.raises(UnavailableError, match="GET"):
            list(client.workloads())
        assert slept == [0.2, 0.4, 0.8]
        with pytest.raises(UnavailableError, match="POST"):
            client.recommend(Job())
    assert len(slept) == 3


def test_an_answer_of_something_else_is_told_as_such() -> None:
    """A page of HTML, and a proxy's refusal without problem+json."""
    with serving(Odd(Response("<html>")).app) as url, Client(url) as client, pytest.raises(AnswerError):
        client.recommend(Job())
    with serving(Odd(Response("go away", 403)).app) as url, Client(url) as client:
        with pytest.raises(ApiError, match="go away") as refused:
            client.recommend(Job())
        assert (refused.value.status, refused.value.kind) == (403, "")


@pytest.mark.parametrize("wrong", ["127.0.0.1:8080", "ftp://x"])
def test_a_url_without_its_scheme_is_refused(wrong: str) -> None:
    """Before anything is asked."""
    with pytest.raises(ValueError, match="begins with http"):
        Client(wrong)


def test_a_job_has_the_fields_of_the_api_and_the_same_defaults() -> None:
    """The client's question and the server's never drift apart."""
    theirs = decide_body.JobRequest.model_fields
    assert set(Job.__struct_fields__) == set(theirs)
    encoded = msgspec.to_builtins(Job())
    assert encoded == {}
    assert decide_body.JobRequest.model_validate(msgspec.to_builtins(Job(cpu_cores=1, command=("a",)))).command == ["a"]


PAIRS = [
    (told.Decision, decide_body.DecisionAnswer),
    (told.CpuSize, decide_body.DecidedCpu),
    (told.MemorySize, decide_body.DecidedMemory),
    (told.Gpu, decide_body.DecidedGpu),
    (told.GpuOption, decide_body.GpuOptionAnswer),
    (told.Workload, answers.WorkloadAnswer),
    (told.Recommendation, answers.RecommendationAnswer),
    (told.CpuSizing, answers.CpuSizing),
    (told.MemorySizing, answers.MemorySizing),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_an_answer_has_no_field_that_the_api_lacks(ours: type[msgspec.Struct], theirs: Any) -> None:
    """A field with a wrong name would be None for ever."""
    assert set(ours.__struct_fields__) <= set(theirs.model_fields)


def test_the_client_loads_nothing_of_the_server() -> None:
    """Neither the rooms nor their packages."""
    code = (
        "import sys; import sizewise.client; "
        "print([m for m in ('numpy', 'fastapi', 'pydantic', 'pyarrow', 'recommender', 'stream', 'models') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
