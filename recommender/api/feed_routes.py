"""The route of the change feed: a page, a page that waits, or a stream of events."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request, Response  # noqa: TID251 - this package is fastapi's one home

from models.metrics import Meter
from recommender.access.book import Asker
from recommender.access.own_feed import OwnFeed
from recommender.api.feed import AnyCursor, Told, Work, cursor_of, own_told, told, waited
from recommender.api.feed_answers import ChangePage, FeedQuery
from recommender.api.feed_stream import MEDIA_TYPE, Ended, EventStream, Pace
from recommender.api.gate import Asking, needs
from recommender.api.json_response import Json
from recommender.api.problems import Problem, documented
from recommender.api.settings import FeedSettings
from recommender.view import Snapshot, View

_STREAM = {"schema": {"type": "string"}, "description": "Server-Sent Events `reset`, `set` and `removed`"}


class Readers:
    """Who waits now. Each asker has places of its own: nobody can take those of others, or count them. Used by the event
    loop alone."""

    def __init__(self, most: int, meter: Meter) -> None:
        self._most, self._meter, self._now = most, meter, Counter[str]()

    def come(self, who: str) -> None:
        """Raises Problem when there are too many."""
        if self._now[who] >= self._most:
            detail = (
                f"{self._most} readers wait with this token already; come back in a moment, or raise api.feed.readers."
            )
            raise Problem(503, "too-many-readers", "Too many readers", detail, headers={"Retry-After": "2"})
        self._count(who, 1)

    def go(self, who: str) -> None:
        self._count(who, -1)

    def _count(self, who: str, by: int) -> None:
        self._now[who] += by
        self._now = +self._now
        self._meter.gauge("sizewise_feed_readers", self._now.total())


def feed_routes(
    view: View, settings: FeedSettings, meter: Meter, now: Callable[[], float] = time.monotonic
) -> APIRouter:
    routes, readers = APIRouter(tags=["decisions"]), Readers(settings.readers, meter)
    pace = Pace(settings.keep_alive_s, settings.slow_s, settings.longest_stream_s)

    @routes.get(
        "/v1/recommendations",
        summary="Changes of recommendations since a cursor; waits for them with `wait`, streams them as Server-Sent Events",
        response_class=Json,
        responses={200: {"model": ChangePage, "content": {MEDIA_TYPE: _STREAM}}, **documented(400, 401, 422, 503)},
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
        since = ("Last-Event-ID", last_event_id) if streams and last_event_id else ("since", query.since)
        cursor, work = _whole(*since, query.limit) if asker.scope.everywhere else _own(asker, since[1], query.limit)
        readers.come(asker.who)
        if streams:
            return EventStream(view, cursor, work, pace, now, _goes(readers, asker.who, meter), asker.holds)
        try:
            wait_s = min(query.wait, settings.longest_wait_s)
            found = await waited(view, cursor, wait_s, work, now, anyio.sleep, asker.holds)
            if not asker.holds():
                raise Problem(401, "ended-token", "Who asks is not known any more", _ENDED, headers=_CHALLENGE)
            return Json(found.body)
        finally:
            readers.go(asker.who)

    return routes


def _whole(field: str, since: str | None, limit: int) -> tuple[AnyCursor | None, Work]:
    """Of who sees everything: the cursor, and what pages are made by. Raises QueryError."""

    async def work(snapshot: Snapshot, cursor: Any) -> Told:
        return await anyio.to_thread.run_sync(told, snapshot, cursor, limit)

    return cursor_of(since, field), work


def _own(asker: Asker, since: str | None, limit: int) -> tuple[AnyCursor | None, Work]:
    """The same of a tenant. A cursor that was not made for it begins anew: whose it was is not told."""
    if asker.sealer is None:
        raise Problem(503, "not-ready", "Not ready yet", _NO_KEY, headers={"Retry-After": "1"})
    feed = OwnFeed(asker.scope, asker.sealer)

    async def work(snapshot: Snapshot, cursor: Any) -> Told:
        return await anyio.to_thread.run_sync(own_told, feed, snapshot, cursor, limit)

    return feed.cursor(since) if since else None, work


def _goes(readers: Readers, who: str, meter: Meter) -> Callable[[Ended], None]:
    def ended(why: Ended) -> None:
        readers.go(who)
        meter.count("sizewise_feed_ended_total", reason=why)

    return ended


def _wants_stream(accept: str) -> bool:
    return MEDIA_TYPE in (part.partition(";")[0].strip().lower() for part in accept.split(","))


_NO_KEY = "The key that seals cursors was not read from the log yet; making a token makes one. Ask again in a moment."
_ENDED = "The token ended while this waited: it has expired, or was revoked. `sizewise token create` makes another."
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="sizewise", error="invalid_token"', "Cache-Control": "no-store"}
_NOT_READY = "The log has not been read to its end yet; /readyz says what is missing. Ask again in a moment."
