"""The routes of workloads: a page of them, one of them, what to give it, and its days."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response  # noqa: TID251 - this package is fastapi's one home

from recommender.access.book import Asker
from recommender.access.restrict import restrict
from recommender.api import answers
from recommender.api.decide import Decider
from recommender.api.decide_format import AskedForm, chosen, documented_forms, rendered
from recommender.api.detail import detail
from recommender.api.fingerprints import Fingerprints, with_fingerprint
from recommender.api.gate import Asking, needs
from recommender.api.ids import PREFIX, SERIES_SUFFIX, SUFFIX, candidates, raw_id
from recommender.api.json_response import Json
from recommender.api.listing import WorkloadQuery, workload_page
from recommender.api.problems import Problem, documented
from recommender.api.render import is_recommended, recommendation
from recommender.api.series import series
from recommender.api.settings import ApiSettings
from recommender.decision import Format
from recommender.view import Row, Snapshot, View
from recommender.view_query import QueryError

WorkloadId = Annotated[
    str,
    Path(
        description="id of the workload: as it is, or percent-encoded as a whole",
        examples=["prod/shop/Deployment/cart/server"],
    ),
]
_NOT_YET = "{!r} is known, but the recommender has not come to it yet; ask again in a moment."


class _Told:
    """What these routes answer with, by one policy."""

    def __init__(self, decider: Decider, fingerprints: Fingerprints) -> None:
        self._decider, self._fingerprints = decider, fingerprints

    def whole(self, snapshot: Snapshot, row: Row, asker: Asker) -> Response:
        return Json(with_fingerprint(detail(snapshot, row), self._fingerprints.body(row, asker.scope)))

    def recommendation(self, snapshot: Snapshot, row: Row, asker: Asker) -> Response:
        body = recommendation(row, self._decider.slices.body(snapshot, row))
        return Json(with_fingerprint(body, self._fingerprints.body(row, asker.scope)))

    def standing(self, snapshot: Snapshot, row: Row, form: Format) -> Response:
        return rendered([self._decider.standing(snapshot, row)], form, alone=True)


def workload_routes(view: View, settings: ApiSettings, decider: Decider, fingerprints: Fingerprints) -> APIRouter:
    routes, told = APIRouter(tags=["workloads"]), _Told(decider, fingerprints)
    _list(routes, view, settings.page_limit)
    _parts(routes, view, told)  # before the route of the workload itself, whose path takes in theirs
    _one(routes, view, told)
    return routes


def _list(routes: APIRouter, view: View, page_limit: int) -> None:
    @routes.get(
        "/v1/workloads",
        summary="Workloads: filter, sort, page",
        response_class=Json,
        responses={200: {"model": answers.WorkloadPage}, **documented(400, 422)},
        openapi_extra=needs("read"),
    )
    def list_workloads(query: Annotated[WorkloadQuery, Query()], asker: Asking) -> Response:
        if query.limit > page_limit:
            raise QueryError("limit", query.limit, f"use at most {page_limit}")
        return Json(workload_page(restrict(view.snapshot, asker.scope), query))


def _parts(routes: APIRouter, view: View, told: _Told) -> None:
    @routes.get(
        PREFIX + "{id:path}" + SUFFIX,
        summary="What to give one workload, and why",
        response_class=Json,
        responses={
            **documented_forms(answers.RecommendationAnswer, "in one of its forms"),
            **documented(400, 404, 422),
        },
        openapi_extra=needs("read"),
    )
    def get_recommendation(id: WorkloadId, request: Request, asker: Asking, format: AskedForm = None) -> Response:
        snapshot, raw = restrict(view.snapshot, asker.scope), raw_id(request.scope["raw_path"])
        if (row := _find(snapshot, raw)) is not None:  # a container that is called `recommendation`
            return told.whole(snapshot, row, asker)
        row = _must_be_recommended(snapshot, raw.removesuffix(SUFFIX))
        form = chosen(format, request.headers.get("accept", ""))
        return told.recommendation(snapshot, row, asker) if form == "json" else told.standing(snapshot, row, form)

    @routes.get(
        PREFIX + "{id:path}" + SERIES_SUFFIX,
        summary="Usage, request and recommendation of one workload, day by day",
        response_class=Json,
        responses={200: {"model": answers.Series}, **documented(400, 404)},
        openapi_extra=needs("read"),
    )
    def get_series(id: WorkloadId, request: Request, asker: Asking) -> Response:
        snapshot, raw = restrict(view.snapshot, asker.scope), raw_id(request.scope["raw_path"])
        if (row := _find(snapshot, raw)) is not None:  # a container that is called `series`
            return told.whole(snapshot, row, asker)
        return Json(series(_must_find(snapshot, raw.removesuffix(SERIES_SUFFIX))))


def _one(routes: APIRouter, view: View, told: _Told) -> None:
    @routes.get(
        PREFIX + "{id:path}",
        summary="One workload with all that its profile says",
        response_class=Json,
        responses={200: {"model": answers.WorkloadDetail}, **documented(400, 404)},
        openapi_extra=needs("read"),
    )
    def get_workload(id: WorkloadId, request: Request, asker: Asking) -> Response:
        snapshot = restrict(view.snapshot, asker.scope)
        return told.whole(snapshot, _must_find(snapshot, raw_id(request.scope["raw_path"])), asker)


def _find(snapshot: Snapshot, raw: str) -> Row | None:
    return next((row for text in candidates(raw) if (row := snapshot.get(text)) is not None), None)


def _must_find(snapshot: Snapshot, raw: str) -> Row:
    if (row := _find(snapshot, raw)) is not None:
        return row
    asked = next(iter(candidates(raw)))
    mend = "an id has 5 parts, cluster/namespace/kind/name/container; /v1/workloads?name=PART finds it"
    fault = {"field": "id", "value": asked, "mend": mend}
    raise Problem(404, "unknown-workload", "Unknown workload", f"No workload {asked!r}: {mend}.", [fault])


def _must_be_recommended(snapshot: Snapshot, raw: str) -> Row:
    row = _must_find(snapshot, raw)
    if not is_recommended(row):
        raise Problem(404, "not-recommended-yet", "No recommendation yet", _NOT_YET.format(row.id))
    return row
