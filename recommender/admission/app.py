"""The webhook as one small ASGI application: the path of a review passes no framework, no thread and no lock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from models.audit import AuditEntry
from models.metrics import Meter
from recommender.admission.mode import Mode
from recommender.admission.review import Reviewed, Reviewer, allowed

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Exposition = Callable[[], tuple[bytes, str]]

MUTATE: dict[str, Mode | None] = {"/mutate": None, "/mutate/recommend": Mode.RECOMMEND, "/mutate/apply": Mode.APPLY}
"""Paths, and what each tells of the namespace's label: a webhook whose namespaceSelector takes one mode calls its path."""
_JSON: Headers = [(b"content-type", b"application/json")]
_TEXT: Headers = [(b"content-type", b"text/plain; charset=utf-8")]


class TooLargeError(Exception):
    """A body over the limit."""


class AdmissionApp:
    """`ready`: whether the log was read to its end once. `now_s`: a clock that only goes forward. `exposition`: of /metrics;
    None: it is not told here. `trail`: where applied changes are told; it must not block."""

    def __init__(
        self,
        reviewer: Reviewer,
        meter: Meter,
        now_s: Callable[[], float],
        ready: Callable[[], bool],
        exposition: Exposition | None,
        trail: Callable[[AuditEntry], None],
        deadline_s: float,
        body_limit_bytes: int,
    ) -> None:
        self._reviewer, self._meter, self._now_s, self._trail = reviewer, meter, now_s, trail
        self._ready, self._exposition = ready, exposition
        self._deadline_s, self._body_limit_bytes = deadline_s, body_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path in MUTATE and scope["method"] == "POST":
            await self._mutate(MUTATE[path], receive, send)
        else:
            await answer_own(path, self._ready, self._exposition, send)

    async def _mutate(self, told: Mode | None, receive: Receive, send: Send) -> None:
        began_s = self._now_s()
        try:
            async with asyncio.timeout(self._deadline_s):
                body = await self._body(receive)
        except TooLargeError:
            await respond(send, 413, _TEXT, b"the review is over webhook.body_limit_bytes\n")
            self._count("too-large", began_s)
            return
        except TimeoutError:
            reviewed = allowed(b"", "late")
        else:
            reviewed = self._review(body, told, began_s)
        await respond(send, 200, _JSON, reviewed.body)
        self._count(reviewed.outcome, began_s)
        if reviewed.entry is not None:
            self._trail(reviewed.entry)

    def _review(self, body: bytes, told: Mode | None, began_s: float) -> Reviewed:
        if self._now_s() - began_s > self._deadline_s:
            return allowed(body, "late")
        return self._reviewer.review(body, told) if self._ready() else allowed(body, "not-ready")

    async def _body(self, receive: Receive) -> bytes:
        """Most bodies come in one piece and are not copied."""
        first, more = await _piece(receive)
        if not more and len(first) <= self._body_limit_bytes:
            return first
        pieces, size = [first], len(first)
        while more and size <= self._body_limit_bytes:
            piece, more = await _piece(receive)
            pieces.append(piece)
            size += len(piece)
        if size > self._body_limit_bytes:
            raise TooLargeError
        return b"".join(pieces)

    def _count(self, outcome: str, began_s: float) -> None:
        self._meter.count("sizewise_webhook_reviews_total", outcome=outcome)
        self._meter.observe("sizewise_webhook_review_seconds", max(0.0, self._now_s() - began_s))


async def answer_own(path: str, ready: Callable[[], bool], exposition: Exposition | None, send: Send) -> None:
    """/healthz, /readyz and /metrics."""
    if path == "/healthz":
        await respond(send, 200, _TEXT, b"ok\n")
    elif path == "/readyz":
        done = ready()
        await respond(send, 200 if done else 503, _TEXT, b"ready\n" if done else b"the log was not read yet\n")
    elif path == "/metrics" and exposition is not None:
        body, content_type = exposition()
        await respond(send, 200, [(b"content-type", content_type.encode())], body)
    else:
        await respond(send, 404, _TEXT, b"POST an AdmissionReview to /mutate\n")


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        return b"", False
    return message.get("body", b""), message.get("more_body", False)
