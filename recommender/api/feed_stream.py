"""The change feed as Server-Sent Events (the EventSource of HTML): one answer that goes on until somebody ends it.

Each page ends with its cursor as the event's id, so that a reader which comes back with Last-Event-ID goes on there. A page
is made only when the one before was taken: a slow reader gets fewer pages with what stands then, and costs no memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import anyio
import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from recommender.api.feed import POLL_S, AnyCursor, Told, Work
from recommender.view import View

MEDIA_TYPE = "text/event-stream"
Ended = Literal["left", "slow", "closing"]
RETRY_MS = 2000
"""How long a reader waits before it comes back."""


@dataclass(frozen=True, slots=True)
class Pace:
    """keep_alive_s: between two comments where nothing happens. slow_s: how long one piece may take to be taken.
    longest_s: of the stream as a whole."""

    keep_alive_s: float
    slow_s: float
    longest_s: float


class EventStream(Response):
    """`ended` is told why it ended, once. `holds`: whether the reader's token is good still."""

    def __init__(
        self,
        view: View,
        cursor: AnyCursor | None,
        work: Work,
        pace: Pace,
        now: Callable[[], float],
        ended: Callable[[Ended], None],
        holds: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._view, self._cursor, self._work, self._pace, self._now, self._ended = view, cursor, work, pace, now, ended
        self._holds = holds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        why: Ended = "left"
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_until_gone, receive, group.cancel_scope)
                why = await self._send_all(send)
                group.cancel_scope.cancel()
        finally:
            self._ended(why)

    async def _send_all(self, send: Send) -> Ended:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for piece in self._pieces():
            with anyio.move_on_after(self._pace.slow_s) as time:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            if time.cancelled_caught:
                return "slow"
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return "closing"

    async def _pieces(self) -> AsyncIterator[bytes]:
        """Until the view ends, time is over, or the reader may see no more."""
        yield b"retry: %d\n\n" % RETRY_MS
        cursor, seen, spoken_s = self._cursor, None, self._now()
        ends_s = spoken_s + self._pace.longest_s
        while not self._view.ended and self._now() < ends_s and self._holds():
            snapshot = self._view.snapshot
            if snapshot is not seen:
                found = await self._work(snapshot, cursor)
                cursor, seen = found.page.cursor, None if found.page.more else snapshot
                if found.news:
                    spoken_s = self._now()
                    yield events(found)
                    continue
            if self._now() - spoken_s >= self._pace.keep_alive_s:
                spoken_s = self._now()
                yield keep_alive(cursor)
            await anyio.sleep(POLL_S)


def events(found: Told) -> bytes:
    """`reset` first where it is one; the id stands at the last, so that a page is told again whole or not at all."""
    lines: list[tuple[str, bytes]] = [("reset", b"{}")] if found.page.reset else []
    lines += [(body["kind"], orjson.dumps(body)) for body in found.bodies]
    parts = [b"event: %s\ndata: %s\n\n" % (kind.encode(), data) for kind, data in lines]
    return b"".join(parts[:-1]) + b"id: %s\n" % str(found.page.cursor).encode() + parts[-1]


def keep_alive(cursor: AnyCursor | None) -> bytes:
    """A comment; the id moves on without an event, so that a reader which comes back is not told to begin anew."""
    return b": nothing new\n" + (b"id: %s\n\n" % str(cursor).encode() if cursor else b"\n")


async def _until_gone(receive: Callable[[], Awaitable[object]], scope: anyio.CancelScope) -> None:
    """The reader hung up."""
    while True:
        message = await receive()
        if isinstance(message, dict) and message["type"] == "http.disconnect":
            scope.cancel()
            return
