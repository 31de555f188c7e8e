"""Who may come in. Every route declares the verb that it needs, or is one of OPEN; what does neither is refused.

Before anything of a request but its head is read, the gate finds out who asks, looks the path up in its own table of routes,
and compares verbs. A path that is not in the table is not passed on.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request  # noqa: TID251 - this package is fastapi's one home
from fastapi.routing import APIRoute  # noqa: TID251
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Send

from recommender.access.book import NOTHING, Asker, Refused
from recommender.access.guard import Guard, Knock, Wait
from recommender.access.scope import EVERYTHING, VERBS, Verb
from recommender.access.token import PREFIX
from recommender.api.problems import Problem, problem_response

OPEN = frozenset({"/", "/docs", "/openapi.json", "/healthz", "/readyz"})
"""Paths that anyone may ask: they tell nothing of workloads or nodes. What a load balancer probes is among them."""

VERB_KEY = "x-required-verb"
REFUSALS = (401, 403, 429, 503)
"""What the gate may answer in place of a route."""
LOCAL = Asker("local", EVERYTHING)
"""Who asks where no token is asked."""
_STRANGER = Asker("anonymous", NOTHING)
_ASKER, _REQUEST_ID = "sizewise.asker", "sizewise.request_id"
_REQUEST_ID_FORM = re.compile(r"[0-9A-Za-z._-]{1,64}")


class UndeclaredRouteError(Exception):
    """A route that is not open declares no verb."""


def needs(verb: Verb) -> dict[str, Any]:
    """`openapi_extra` of a route: the verb that an asker's scope must allow."""
    return {VERB_KEY: verb, "security": [{"token": []}], "description": f"Needs the verb `{verb}`: {VERBS[verb]}."}


async def asker_of(request: Request) -> Asker:
    """Who asks, as the gate found; without a gate before the route, one who may see nothing."""
    asker: Asker = request.scope.get(_ASKER, _STRANGER)
    return asker


Asking = Annotated[Asker, Depends(asker_of)]
"""A parameter of a route: work on `restrict(view.snapshot, asker.scope)`, never on the whole snapshot."""


@dataclass(frozen=True, slots=True)
class Declared:
    path: re.Pattern[str]
    methods: frozenset[str]
    verb: str


class RouteTable:
    """What the routers of the application declare, in their order. Raises UndeclaredRouteError for one that does not."""

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        routes = [route for router in routers for route in router.routes]
        self.declared = [_declared(route) for route in routes if getattr(route, "path", "") not in OPEN]

    def verb(self, method: str, path: str) -> str | None:
        """The verb that a request needs; None: there is no such path. Where only the method is wrong, that of the path."""
        there = [route for route in self.declared if route.path.match(path)]
        return next((route.verb for route in there if method in route.methods), there[0].verb if there else None)


class Gate:
    """guard None: no token is asked, everybody is LOCAL; routes must declare their verbs all the same."""

    def __init__(self, app: ASGIApp, table: RouteTable, guard: Guard | None) -> None:
        self._app, self._table, self._guard = app, table, guard

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        knock = _knock(scope)
        asker, verb, refusal = self._judge(knock, b"=" + PREFIX.encode() in scope["query_string"])
        scope[_ASKER], scope[_REQUEST_ID] = asker, knock.request_id

        async def name(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = knock.request_id
                if refusal is None and verb:
                    self._note(knock, asker, verb, message["status"])
            await send(message)

        if refusal is None:
            await self._app(scope, receive, name)
        else:
            problem, headers = refusal
            await problem_response(problem, scope["path"], headers)(scope, receive, name)

    def _judge(self, knock: Knock, token_in_query: bool) -> tuple[Asker, str, _Refusal | None]:
        """Who asks, the verb that is needed, and the answer where it is no."""
        if self._guard is None:
            asker: Asker | Refused | Wait = LOCAL
        elif knock.path in OPEN:
            return _STRANGER, "", None
        else:
            asker = self._guard.admit(knock)
        if isinstance(asker, Wait):
            return _STRANGER, "", _too_many(asker)
        if isinstance(asker, Refused):
            return _STRANGER, "", _unknown(asker, token_in_query)
        if knock.path in OPEN:
            return asker, "", None
        return self._may(knock, asker)

    def _may(self, knock: Knock, asker: Asker) -> tuple[Asker, str, _Refusal | None]:
        verb = self._table.verb(knock.method, knock.path)
        if verb is None:
            return asker, "", (no_such_path(knock.path), {})
        if asker.scope.may(verb):
            return asker, verb, None
        if self._guard is not None:
            self._guard.deny(knock, asker, verb, "verb-not-allowed")
        return asker, verb, _not_allowed(asker, verb)

    def _note(self, knock: Knock, asker: Asker, verb: str, status: int) -> None:
        """What a route refused, and what an asker did not find: it may be there, for others. On record it goes either way, and
        nothing tells the two apart."""
        if self._guard is None or (status == 404 and asker.scope.everywhere):
            return
        if status in _NOTED:
            self._guard.deny(knock, asker, verb, _NOTED[status])


_NOTED = {401: "ended-token", 403: "scope-too-narrow", 404: "not-found-or-not-seen"}
_Refusal = tuple[Problem, dict[str, str]]


def no_such_path(path: str) -> Problem:
    return Problem(404, "no-such-path", "No such path", f"There is nothing at {path}; /docs lists what there is.")


def _declared(route: Any) -> Declared:
    verb = (getattr(route, "openapi_extra", None) or {}).get(VERB_KEY)
    if not isinstance(route, APIRoute) or verb not in VERBS:
        path = getattr(route, "path", route)
        raise UndeclaredRouteError(
            f"route {path} declares no verb: give it openapi_extra=needs(...) with one of {', '.join(VERBS)}"
        )
    return Declared(route.path_regex, frozenset(route.methods or ()), str(verb))


def _knock(scope: MutableMapping[str, Any]) -> Knock:
    headers = Headers(scope=scope)
    asked = headers.get("x-request-id", "")
    state = scope.get("state") or {}
    return Knock(
        scope["method"],
        scope["path"],
        scope["client"][0] if scope.get("client") else "",
        headers.get("authorization", ""),
        state.get("certificate", ""),
        asked if _REQUEST_ID_FORM.fullmatch(asked) else secrets.token_hex(8),
    )


_HOW = "send `Authorization: Bearer szw_...`; `sizewise token create` makes a token"
_SAID = {
    "no-token": f"This needs a token: {_HOW}.",
    "malformed-token": f"What was sent is no token of sizewise: {_HOW}.",
    "unknown-token": "This token is not known here: it was mistyped, or made on another log.",
    "revoked-token": "This token was revoked; ask who runs sizewise for another.",
    "expired-token": "This token has expired; ask who runs sizewise for another.",
}


def _unknown(refused: Refused, token_in_query: bool) -> _Refusal:
    if refused.why == "not-ready":
        detail = "The tokens were not read yet, so nobody can be let in; ask again in a moment."
        return Problem(503, "not-ready", "Not ready yet", detail), {"Retry-After": "1"}
    sent = refused.why != "no-token"
    challenge = 'Bearer realm="sizewise"' + (', error="invalid_token"' if sent else "")
    detail = _SAID[refused.why]
    if token_in_query and not sent:
        detail = f"A token in the address is not taken, and is in logs now: revoke it. To use one, {_HOW}."
    problem = Problem(401, refused.why, "Who asks is not known", detail)
    return problem, {"WWW-Authenticate": challenge, "Cache-Control": "no-store"}


def _too_many(wait: Wait) -> _Refusal:
    seconds = max(1, round(wait.seconds))
    detail = f"Too many requests from this address without a good token; wait {seconds} s."
    return Problem(429, "too-many-failures", "Too many failures", detail), {"Retry-After": str(seconds)}


def _not_allowed(asker: Asker, verb: str) -> _Refusal:
    allowed = ", ".join(sorted(asker.scope.verbs)) or "nothing"
    why = (
        "it speaks of every namespace, and this token does not"
        if verb in asker.scope.verbs
        else f"this token allows {allowed}"
    )
    problem = Problem(403, "verb-not-allowed", "Not allowed", f"This needs the verb `{verb}`: {why}.")
    return problem, {"WWW-Authenticate": f'Bearer realm="sizewise", error="insufficient_scope", scope="{verb}"'}
