"""What every request passes first: its Host and the size of its body are checked, and it is counted by route and status."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.metrics import Meter
from recommender.api.problems import Problem, problem_response


class Edge:
    """allowed_hosts None: any. Where tokens are asked a web page that points its name here has none to show."""

    def __init__(
        self,
        app: ASGIApp,
        meter: Meter,
        now: Callable[[], float],
        allowed_hosts: Sequence[str] | None,
        body_limit_bytes: int,
    ) -> None:
        self._app, self._meter, self._now, self._body_limit_bytes = app, meter, now, body_limit_bytes
        self._allowed = None if allowed_hosts is None else frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = self._now(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._answer(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched").replace(":path", "")
            self._meter.count("sizewise_api_requests_total", route=route, status=str(status))
            self._meter.observe("sizewise_api_request_seconds", max(0.0, self._now() - began), route=route)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = self._foreign_host(scope) or self._body_problem(scope)
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(problem, scope["path"])(scope, receive, send)

    def _foreign_host(self, scope: Scope) -> Problem | None:
        if self._allowed is None:
            return None
        host = _header(scope, b"host").lower()
        host = host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
        if host in self._allowed:
            return None
        detail = f"Host {host!r} is not one of {', '.join(sorted(self._allowed))}; add it to api.allowed_hosts."
        fault = {"field": "Host", "value": host, "mend": "use a name that api.allowed_hosts lists"}
        return Problem(400, "host-not-allowed", "Host not allowed", detail, [fault])

    def _body_problem(self, scope: Scope) -> Problem | None:
        """A body is read whole, so it says its length first; the server sees to it that it is not longer."""
        if _header(scope, b"transfer-encoding"):
            chunked = {"field": "Transfer-Encoding", "value": "chunked", "mend": "send Content-Length instead"}
            return Problem(411, "length-required", "Length required", "Send the body with Content-Length.", [chunked])
        length = _header(scope, b"content-length")
        if not length.isdecimal() or int(length) <= self._body_limit_bytes:
            return None
        mend = f"send at most {self._body_limit_bytes} bytes, or raise api.body_limit_bytes"
        large = {"field": "Content-Length", "value": int(length), "mend": mend}
        return Problem(413, "body-too-large", "Body too large", f"The body has {length} bytes; {mend}.", [large])


def _header(scope: Scope, name: bytes) -> str:
    return next((bytes(v) for k, v in scope["headers"] if k == name), b"").decode("latin-1")
