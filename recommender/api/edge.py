"""What every request passes first: its Host is checked, and it is counted by route template and status."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.metrics import Meter
from recommender.api.problems import Problem, problem_response


class Edge:
    def __init__(self, app: ASGIApp, meter: Meter, now: Callable[[], float], allowed_hosts: Sequence[str]) -> None:
        self._app, self._meter, self._now = app, meter, now
        self._allowed = frozenset(host.lower() for host in allowed_hosts)

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
        host = _host(scope)
        if host in self._allowed:
            await self._app(scope, receive, send)
            return
        detail = f"Host {host!r} is not one of {', '.join(sorted(self._allowed))}; add it to api.allowed_hosts."
        fault = {"field": "Host", "value": host, "mend": "use a name that api.allowed_hosts lists"}
        problem = Problem(400, "host-not-allowed", "Host not allowed", detail, [fault])
        await problem_response(problem, scope["path"])(scope, receive, send)


def _host(scope: Scope) -> str:
    """The Host header without its port, in lower case."""
    value = next((v for k, v in scope["headers"] if k == b"host"), b"").decode("latin-1").lower()
    return value.rpartition("]")[0] + "]" if value.startswith("[") else value.partition(":")[0]
