"""POST /v1/expect: what a job will need that has not run, with intervals that hold."""

from __future__ import annotations

import math

from fastapi import APIRouter, Response  # noqa: TID251 - this package is fastapi's one home

from recommender.access.restrict import restrict
from recommender.api.decide_kin import KinOf
from recommender.api.expect_body import ExpectAnswer, ExpectRequest
from recommender.api.gate import Asking, needs
from recommender.api.json_response import Json
from recommender.api.problems import documented
from recommender.api.render import Body
from recommender.kin.answer import Expected, KinAnswer
from recommender.kin.job import JobFacts
from recommender.kin.measured import QUANTITIES
from recommender.view import View

_DIGITS = 6


def expect_routes(view: View, kin: KinOf) -> APIRouter:
    routes = APIRouter(tags=["decisions"])

    @routes.post(
        "/v1/expect",
        summary="What a job will need that has not run: demand, bottleneck, run time, from workloads like it",
        response_class=Json,
        responses={200: {"model": ExpectAnswer}, **documented(400, 411, 413, 422)},
        openapi_extra=needs("decide"),
    )
    def post_expect(asked: ExpectRequest, asker: Asking) -> Response:
        index = kin.index(restrict(view.snapshot, asker.scope), asker.scope)
        return Json(expect_body(index.predict(facts(asked))))

    return routes


def facts(asked: ExpectRequest) -> JobFacts:
    return JobFacts(
        asked.workload,
        asked.image,
        [*asked.command, *asked.args],
        asked.model,
        asked.batch_size,
        asked.labels,
        asked.owner,
        asked.gpu_model,
        asked.gpus,
        asked.cpu_cores,
        asked.memory_bytes,
    )


def expect_body(found: KinAnswer) -> Body:
    """The body of an ExpectAnswer."""
    demand = {name: _interval(found.demand[name]) if name in found.demand else None for name in QUANTITIES}
    return {
        **demand,
        "bottleneck": None if found.bottleneck is None else found.bottleneck.label,
        "time": [
            {"bottleneck": one.label, "io_kind": one.io_kind, "time_ratio": round(share, _DIGITS)}
            for one, share in found.classes.items()
        ],
        "kin": [
            {
                "workload": one.workload,
                "distance": round(one.distance, _DIGITS),
                "weight_ratio": round(one.weight_ratio, _DIGITS),
                "image": one.image,
                "command": one.command,
            }
            for one in found.kin
        ],
        "kin_weight": round(found.kin_weight, _DIGITS),
        "own_ratio": round(found.own_ratio, _DIGITS),
        "missing": dict(found.missing),
    }


def _interval(one: Expected) -> Body:
    high = round(one.high, _DIGITS) if math.isfinite(one.high) else None
    return {"guess": round(one.guess, _DIGITS), "low": round(one.low, _DIGITS), "high": high}
