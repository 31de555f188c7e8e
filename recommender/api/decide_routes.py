"""The routes that answer a scheduler about a job."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response  # noqa: TID251 - this package is fastapi's one home

from recommender.access.restrict import restrict
from recommender.api.decide import Decider, Ground
from recommender.api.decide_body import DecisionAnswer, Jobs
from recommender.api.decide_format import AskedForm, chosen, documented_forms, rendered
from recommender.api.decide_kin import KinOf
from recommender.api.gate import Asking, needs
from recommender.api.problems import documented
from recommender.supply import Supplies
from recommender.view import View


def decide_routes(view: View, supplies: Supplies, decider: Decider, kin: KinOf) -> APIRouter:
    routes = APIRouter(tags=["decisions"])

    @routes.post(
        "/v1/recommend",
        summary="What a job should get: sizes, MIG slice, nodes, spot advice; one job, or a list of them",
        responses={
            **documented_forms(DecisionAnswer | list[DecisionAnswer], "a list where a list of jobs was sent"),
            **documented(400, 411, 413, 422),
        },
        openapi_extra=needs("decide"),
    )
    def post_recommend(
        asked: Jobs,
        request: Request,
        asker: Asking,
        format: AskedForm = None,
    ) -> Response:
        whole, alone = view.snapshot, not isinstance(asked, list)
        snapshot, supply = restrict(whole, asker.scope), supplies.seen(whole, asker.scope)
        form = chosen(format, request.headers.get("accept", ""))
        ground = Ground(snapshot, supply, lambda: kin.index(snapshot, asker.scope))
        if isinstance(asked, list):
            return rendered(decider.decide_all(ground, asked), form, alone)
        return rendered([decider.decide(ground, asked)], form, alone)

    return routes
