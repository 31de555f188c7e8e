"""Errors as RFC 9457 problem+json: what is wrong with which field, its value, and the mend."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response  # noqa: TID251 - this package is fastapi's one home
from fastapi.exceptions import RequestValidationError  # noqa: TID251
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from recommender.api.json_response import encoded
from recommender.view_query import QueryError

MEDIA_TYPE = "application/problem+json"
TAG = "form:"
"""Begins the tag of a body that has several forms. pydantic puts it in the path of an error, where it says nothing."""
DOCS = "https://github.com/sizewise/sizewise/blob/main/docs/api.md"
_log = logging.getLogger(__name__)


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    field: str = Field(
        description="query parameter, part of the path, or path in the body such as `services[0].points`",
        examples=["limit"],
    )
    value: Any = Field(description="what was sent", examples=["many"])
    mend: str = Field(description="what would be right", examples=["Input should be a valid integer"])


class ProblemBody(BaseModel):
    """The body of every answer that is an error (RFC 9457)."""

    type: str = Field(
        description="names the kind of problem, and leads to its description", examples=[f"{DOCS}#errors"]
    )
    title: str = Field(
        description="the kind of problem in words", examples=["The request has a parameter that is wrong"]
    )
    status: int = Field(description="HTTP status", examples=[422])
    detail: str = Field(description="this occurrence in a sentence, with the mend")
    instance: str = Field(description="path of the request", examples=["/v1/workloads"])
    errors: list[Fault] = Field(
        default=[], description="what is wrong, field by field; empty when no field is at fault"
    )


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it so
    """Raised by a route; becomes a problem+json answer."""

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        detail: str,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.slug, self.title, self.detail, self.errors = status, slug, title, detail, errors
        self.headers = headers


def problem_response(problem: Problem, path: str, headers: Mapping[str, str] | None = None) -> Response:
    body = {
        "type": f"{DOCS}#{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": path,
        "errors": list(problem.errors),
    }
    return Response(encoded(body, str), problem.status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def schemas() -> dict[str, Any]:
    """The OpenAPI components of a problem's body."""
    body = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**body.pop("$defs"), "ProblemBody": body}


def install(app: FastAPI) -> None:
    """Make every error of this application a problem+json answer."""

    async def on_problem(request: Request, error: Problem) -> Response:
        return problem_response(error, request.url.path, error.headers)

    async def on_query(request: Request, error: QueryError) -> Response:
        fault = {"field": error.field, "value": error.value, "mend": error.mend}
        return problem_response(_invalid([fault]), request.url.path)

    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [{"field": _field(e), "value": _shown(e), "mend": _mend(e["type"], e["msg"])} for e in error.errors()]
        return problem_response(_invalid(faults), request.url.path)

    async def on_http(request: Request, error: HTTPException) -> Response:
        return problem_response(_http_problem(error, request), request.url.path, error.headers)

    async def on_crash(request: Request, error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        detail = "The server failed on this request; its log says why. The same request may succeed later."
        return problem_response(Problem(500, "internal", "Internal error", detail), request.url.path)

    for kind, handler in (
        (Problem, on_problem),
        (QueryError, on_query),
        (RequestValidationError, on_invalid),
        (HTTPException, on_http),
        (Exception, on_crash),
    ):
        app.add_exception_handler(kind, handler)  # type: ignore[arg-type]  # starlette types the handler by Exception


def _invalid(faults: Sequence[Mapping[str, Any]]) -> Problem:
    detail = "; ".join(f"{fault['field']} = {fault['value']!r}: {fault['mend']}" for fault in faults)
    return Problem(422, "invalid-parameter", "The request has a parameter that is wrong", detail, faults)


def _mend(kind: str, message: str) -> str:
    return _MENDS.get(kind, message)


_MENDS = {
    "extra_forbidden": "no such parameter; /docs lists those there are",
    "json_invalid": "the body is not JSON; /docs shows one that is right",
    "model_attributes_type": "send a JSON object with Content-Type: application/json; /docs shows one",
}


def _field(error: Mapping[str, Any]) -> str:
    """`limit` of a query; of a body the whole path, `services[0].points[2].latency_s`, `[3].gpus` where it is a list."""
    where: Sequence[int | str] = error["loc"]
    if error["type"] == "json_invalid":  # its path is the place in the text
        return "body"
    if where[0] != "body":
        return str(where[-1])
    parts = [part for part in where[1:] if not str(part).startswith(TAG)]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return path.removeprefix(".") or "body"


def _shown(error: Mapping[str, Any]) -> Any:
    """The value that was sent, as far as people want to see it; of a missing field there is none."""
    value = error.get("input")
    if error["type"] in ("missing", "json_invalid"):
        return None
    return value if len(repr(value)) <= _LONGEST else f"{repr(value)[:_LONGEST]}..."


_LONGEST = 200


def _http_problem(error: HTTPException, request: Request) -> Problem:
    if error.status_code == 404:
        detail = f"There is nothing at {request.url.path}; /docs lists what there is."
        return Problem(404, "no-such-path", "No such path", detail)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "GET")
        detail = f"{request.method} is not possible here; use {allowed}."
        return Problem(405, "method-not-allowed", "Method not allowed", detail)
    phrase = HTTPStatus(error.status_code).phrase
    return Problem(error.status_code, "errors", phrase, str(error.detail))
