"""GET /v1/recommendations: pages, waiting, and Server-Sent Events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from models.metrics import NullMeter
from models.reasons import Action
from recommender.api.app import create_app
from recommender.api.feed_answers import ChangePage
from recommender.api.settings import ApiSettings, FeedSettings
from recommender.view import View
from recommender.view_follow import Contents
from stream.contract import Record
from tests.recommender.view_columns import GIB, message, profiles, recommendations

A, B = "prod/shop/Deployment/cart/server", "prod/shop/Deployment/pay/server"


@dataclass
class Fleet:
    """A view that reads messages as the follower does."""

    settings: FeedSettings = field(default_factory=FeedSettings)
    view: View = field(default_factory=View)
    contents: Contents = field(default_factory=lambda: Contents(10, NullMeter()))
    offset: int = 0

    def __post_init__(self) -> None:
        self.contents.opened({0: 0})
        self.view.missing = {}

    def write(self, **cores: float) -> None:
        """One slab of these workloads with their targets, changed now; none: its tombstone."""
        ids = [f"prod/shop/Deployment/{name}/server" for name in cores]
        made = Record("recommendations", 0, self.offset, "slab/0", None, {}, 1000)
        if cores:
            targets = [[target, GIB] for target in cores.values()]
            changed_ms = [int(target * 1000) for target in cores.values()]
            rows = recommendations(ids, changed_ms=changed_ms, action=Action.SET, target=targets)
            made = message(rows, "recommendations", offset=self.offset)
        self.contents.absorb([message(profiles(ids), "profiles"), made])
        self.offset += 1
        self.view.snapshot = self.contents.snapshot()

    def app(self, now: Callable[[], float] = lambda: 0.0) -> Any:
        api = ApiSettings(feed=self.settings)
        return create_app(self.view, api, NullMeter(), now, lambda: (b"", "text/plain"))

    def client(self) -> TestClient:
        return TestClient(self.app(), base_url="http://localhost:8080")


def page(client: TestClient, **query: Any) -> dict[str, Any]:
    answer = client.get("/v1/recommendations", params=query)
    assert answer.status_code == 200, answer.text
    ChangePage.model_validate(answer.json(), extra="forbid")
    found: dict[str, Any] = answer.json()
    return found


def told(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["kind"], change["workload"]) for change in found["changes"]]


def test_the_first_page_is_everything_and_the_next_what_changed() -> None:
    """Two workloads; one changes; nothing changes; both go."""
    fleet = Fleet()
    client = fleet.client()
    fleet.write(cart=1, pay=2)
    first = page(client)
    assert (first["reset"], first["more"], told(first)) == (True, False, [("set", A), ("set", B)])
    assert first["changes"][0]["cpu"]["target_cores"] == 1.0
    assert first["changes"][0]["id"].startswith("rec-")
    fleet.write(cart=1, pay=3)
    second = page(client, since=first["cursor"])
    assert (second["reset"], told(second)) == (False, [("set", B)])
    assert second["changes"][0]["changed"] == "1970-01-01T00:00:03.000Z"
    assert page(client, since=second["cursor"])["changes"] == []
    fleet.write()
    gone = page(client, since=second["cursor"])
    assert told(gone) == [("removed", A), ("removed", B)]


def test_a_large_answer_comes_in_pages() -> None:
    """A slab is told together; the next page goes on with the next slab."""
    fleet = Fleet()
    fleet.write(cart=1, pay=2)
    found = page(fleet.client(), limit=1)
    assert (len(found["changes"]), found["more"]) == (2, True)
    rest = page(fleet.client(), limit=1, since=found["cursor"])
    assert (rest["changes"], rest["more"], rest["reset"]) == ([], False, False)


def test_waiting_ends_with_the_wait() -> None:
    """Nothing comes within a hundredth of a second: an empty page and the cursor."""
    fleet = Fleet(FeedSettings(longest_wait_s=0.01))
    fleet.write(cart=1)
    client = TestClient(fleet.app(iter(range(1000)).__next__), base_url="http://localhost:8080")
    cursor = page(client)["cursor"]
    assert page(client, since=cursor, wait=60)["changes"] == []


def test_what_is_wrong_is_named() -> None:
    """A cursor that is none, in the query or the header; a wait without end; a parameter that does not exist."""
    fleet = Fleet()
    fleet.write(cart=1)
    for query, headers, name in (
        ({"since": "x"}, {}, "since"),
        ({}, {"Last-Event-ID": "x", "Accept": "text/event-stream"}, "Last-Event-ID"),
        ({"wait": "-1"}, {}, "wait"),
        ({"limit": "0"}, {}, "limit"),
        ({"from": "0"}, {}, "from"),
    ):
        answer = fleet.client().get("/v1/recommendations", params=query, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, name)


def test_a_view_that_is_not_complete_is_not_told() -> None:
    """Half a fleet would look like a whole one."""
    fleet = Fleet()
    fleet.view.missing = {"recommendations": "not read to its end yet"}
    answer = fleet.client().get("/v1/recommendations")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


@dataclass
class Call:
    """One request to the application by hand, so that it can go on while the view changes."""

    app: Any
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    sent: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    slow: asyncio.Event | None = None

    async def run(self) -> None:
        raw = [(b"host", b"localhost"), *((k.lower().encode(), v.encode()) for k, v in self.headers.items())]
        scope = {"type": "http", "method": "GET", "path": "/v1/recommendations", "raw_path": b"/v1/recommendations",
                 "query_string": self.query.encode(), "headers": raw, "http_version": "1.1", "scheme": "http",
                 "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "asgi": {"version": "3.0"}}  # fmt: skip
        await self.app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if self.slow is not None and message["type"] == "http.response.body":
            await self.slow.wait()
        await self.sent.put(message)

    async def bodies(self) -> AsyncIterator[bytes]:
        while True:
            message = await asyncio.wait_for(self.sent.get(), 10)
            if message["type"] == "http.response.body":
                yield message["body"]
                if not message.get("more_body"):
                    return


STREAM = {"Accept": "text/event-stream"}


def events(text: bytes) -> list[tuple[str, Any]]:
    """(kind, data) of each event of a piece."""
    found = []
    for block in text.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "event" in lines:
            found.append((lines["event"], orjson.loads(lines["data"])))
    return found


def last_id(text: bytes) -> str:
    return next(line[4:] for line in reversed(text.decode().split("\n")) if line.startswith("id: "))


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 30))  # type: ignore[arg-type]  # a coroutine function


def test_a_stream_tells_what_is_there_and_then_what_changes() -> None:
    """Reset and everything; a change as it comes; the end of the view ends the stream."""

    async def work() -> None:
        fleet = Fleet()
        fleet.write(cart=1, pay=2)
        call = Call(fleet.app(), STREAM)
        task = asyncio.create_task(call.run())
        bodies = call.bodies()
        assert (await anext(bodies)).startswith(b"retry: ")
        assert [kind for kind, _ in events(await anext(bodies))] == ["reset", "set", "set"]
        fleet.write(cart=1, pay=3)
        (found,) = events(await anext(bodies))
        assert (found[0], found[1]["workload"], found[1]["cpu"]["target_cores"]) == ("set", B, 3.0)
        fleet.view.ended = True
        assert [body async for body in bodies] == [b""]
        await task
        assert call.sent.empty()

    run(work)


def test_a_reader_that_comes_back_goes_on_where_it_was() -> None:
    """The last id it saw, in the header: what changed while it was away, and no more."""

    async def work() -> None:
        fleet = Fleet()
        fleet.write(cart=1, pay=2)
        app = fleet.app()
        first = Call(app, STREAM)
        task = asyncio.create_task(first.run())
        bodies = first.bodies()
        await anext(bodies)
        seen = last_id(await anext(bodies))
        first.left.set()
        await task
        fleet.write(cart=9, pay=2)
        again = Call(app, STREAM | {"Last-Event-ID": seen})
        task = asyncio.create_task(again.run())
        bodies = again.bodies()
        await anext(bodies)
        assert [(kind, body["workload"]) for kind, body in events(await anext(bodies))] == [("set", A)]
        again.left.set()
        await task

    run(work)


def test_a_silent_stream_says_that_it_lives_and_where_it_is() -> None:
    """A comment with an id and no data: no event comes of it, but the reader's place moves on."""

    async def work() -> None:
        fleet = Fleet(FeedSettings(keep_alive_s=1))
        fleet.write(cart=1)
        ticks = iter(range(10_000))
        call = Call(fleet.app(lambda: float(next(ticks))), STREAM)
        task = asyncio.create_task(call.run())
        bodies = call.bodies()
        await anext(bodies)
        cursor = last_id(await anext(bodies))
        quiet = await anext(bodies)
        assert (quiet[:1], last_id(quiet), events(quiet)) == (b":", cursor, [])
        call.left.set()
        await task

    run(work)


def test_a_reader_that_takes_nothing_is_cut_off_and_the_next_one_has_room() -> None:
    """One place: while a stream hangs a second reader is told to come back; the slow one is cut, and then there is room."""

    async def work() -> None:
        fleet = Fleet(FeedSettings(slow_s=0.05, readers=1))
        fleet.write(cart=1)
        app, never = fleet.app(), asyncio.Event()
        slow = Call(app, STREAM, slow=never)
        task = asyncio.create_task(slow.run())
        await slow.sent.get()
        second = Call(app)
        await second.run()
        assert (await second.sent.get())["status"] == 503
        await task
        third = Call(app)
        await third.run()
        assert (await third.sent.get())["status"] == 200

    run(work)


def test_a_waiting_request_is_answered_by_the_change() -> None:
    """It asks, nothing is new, the view changes, it has the change."""

    async def work() -> None:
        fleet = Fleet()
        fleet.write(cart=1)
        cursor = page(fleet.client())["cursor"]
        call = Call(fleet.app(), query=f"wait=60&since={cursor}")
        task = asyncio.create_task(call.run())
        await asyncio.sleep(0)
        fleet.write(cart=2)
        await task
        await call.sent.get()
        assert told(orjson.loads((await call.sent.get())["body"])) == [("set", A)]

    run(work)


@pytest.mark.parametrize("name", ["longest_wait_s", "keep_alive_s", "slow_s", "longest_stream_s", "readers"])
def test_settings_are_bounded(name: str) -> None:
    """Over nothing, and at most a day."""
    for value in (0, 100_000):
        with pytest.raises(ValueError, match=name):
            FeedSettings(**{name: value})
