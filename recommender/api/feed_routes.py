"""The route of the change feed: a page, a page that waits, or a stream of events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import anyio
import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request, Response  # noqa: TID251 - this package is fastapi's one home

from models.metrics import Meter
from recommender.access.scope import Scope
from recommender.api.feed import Told, Work, cursor_of, told, waited
from recommender.api.feed_answers import ChangePage, FeedQuery
from recommender.api.feed_stream import MEDIA_TYPE, Ended, EventStream, Pace
from recommender.api.gate import Asking, needs
from recommender.api.json_response import Json
from recommender.api.problems import Problem, documented
from recommender.api.settings import FeedSettings
from recommender.feed import Cursor
from recommender.view import Snapshot, View

_STREAM = {"schema": {"type": "string"}, "description": "Server-Sent Events `reset`, `set` and `removed`"}


class Readers:
    """Who waits now. Used by the event loop alone."""

    def __init__(self, most: int, meter: Meter) -> None:
        self._most, self._meter, self._now = most, meter, 0

    def come(self) -> None:
        """Raises Problem when there are too many."""
        if self._now >= self._most:
            detail = f"{self._now} readers wait for changes already; come back in a moment, or raise api.feed.readers."
            raise Problem(503, "too-many-readers", "Too many readers", detail, headers={"Retry-After": "2"})
        self._count(1)

    def go(self) -> None:
        self._count(-1)

    def _count(self, by: int) -> None:
        self._now += by
        self._meter.gauge("sizewise_feed_readers", self._now)


def feed_routes(
    view: View, settings: FeedSettings, meter: Meter, now: Callable[[], float] = time.monotonic
) -> APIRouter:
    routes, readers = APIRouter(tags=["decisions"]), Readers(settings.readers, meter)
    pace = Pace(settings.keep_alive_s, settings.slow_s, settings.longest_stream_s)

    @routes.get(
        "/v1/recommendations",
        summary="Changes of recommendations since a cursor; waits for them with `wait`, streams them as Server-Sent Events",
        response_class=Json,
        responses={200: {"model": ChangePage, "content": {MEDIA_TYPE: _STREAM}}, **documented(400, 422, 503)},
        openapi_extra=needs("read"),
    )
    async def get_changes(
        query: Annotated[FeedQuery, Query()],
        asker: Asking,
        request: Request,
        last_event_id: Annotated[str | None, Header(description="of an event stream; goes before `since`")] = None,
    ) -> Response:
        if view.missing:
            raise Problem(503, "not-ready", "The view is not complete yet", _NOT_READY, headers={"Retry-After": "1"})
        streams = _wants_stream(request.headers.get("accept", ""))
        cursor = cursor_of(query.since)
        if streams and last_event_id:
            cursor = cursor_of(last_event_id, "Last-Event-ID")
        work = _off_the_loop(asker.scope, query.limit)
        readers.come()
        if streams:
            return EventStream(view, cursor, work, pace, now, _goes(readers, meter))
        try:
            return Json((await waited(view, query, settings.longest_wait_s, work, now, anyio.sleep)).body)
        finally:
            readers.go()

    return routes


def _off_the_loop(scope: Scope, limit: int) -> Work:
    async def work(snapshot: Snapshot, cursor: Cursor | None) -> Told:
        return await anyio.to_thread.run_sync(told, snapshot, scope, cursor, limit)

    return work


def _goes(readers: Readers, meter: Meter) -> Callable[[Ended], None]:
    def ended(why: Ended) -> None:
        readers.go()
        meter.count("sizewise_feed_ended_total", reason=why)

    return ended


def _wants_stream(accept: str) -> bool:
    return MEDIA_TYPE in (part.partition(";")[0].strip().lower() for part in accept.split(","))


_NOT_READY = "The log has not been read to its end yet; /readyz says what is missing. Ask again in a moment."
