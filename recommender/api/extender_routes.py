"""The routes that kube-scheduler calls. In time, or neutral: a scheduler must never wait for advice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response  # noqa: TID251 - this package is fastapi's one home

from models.metrics import Meter
from recommender.access.restrict import restrict
from recommender.access.scope import Scope
from recommender.api.extender import NEUTRAL, filter_nodes, prioritize
from recommender.api.extender_wire import Call, ExtenderArgs, FilterResult, HostPriority, read_call
from recommender.api.gate import Asking, needs
from recommender.api.json_response import Json
from recommender.api.problems import documented
from recommender.api.settings import ExtenderSettings
from recommender.supply import Supplies, Supply
from recommender.view import Snapshot, View
from recommender.view_query import QueryError

T = TypeVar("T")
_log = logging.getLogger(__name__)
Cluster = Annotated[
    str | None,
    Query(description="of the scheduler; null: nodes are found by their own name where one cluster alone has it"),
]
_EXTRA = needs("extend") | {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ExtenderArgs"}}},
    }
}


class Extender:
    """Answers calls within a deadline. Late work is left to end by itself; its result is thrown away."""

    def __init__(self, view: View, supplies: Supplies, settings: ExtenderSettings, meter: Meter) -> None:
        self._view, self._supplies, self._settings, self._meter = view, supplies, settings, meter
        self._workers = anyio.CapacityLimiter(settings.workers)

    async def filter(self, call: Call, cluster: str | None, scope: Scope) -> Mapping[str, Any]:
        def work() -> Mapping[str, str]:
            return filter_nodes(*self._seen(scope), call, cluster)

        return _filter_result(call, await self._in_time("filter", work, {}))

    async def prioritize(self, call: Call, cluster: str | None, scope: Scope) -> list[dict[str, Any]]:
        def work() -> list[dict[str, Any]]:
            return prioritize(*self._seen(scope), call, cluster)

        neutral = [{"Host": name, "Score": NEUTRAL} for name in dict.fromkeys(call.names)]
        return await self._in_time("prioritize", work, neutral)

    def _seen(self, scope: Scope) -> tuple[Snapshot, Supply]:
        snapshot = self._view.snapshot
        return restrict(snapshot, scope), self._supplies.seen(snapshot, scope)

    async def _in_time(self, verb: str, work: Callable[[], T], neutral: T) -> T:
        """`neutral` when time is over or the work failed: a fault of ours must not keep a pod from its node."""
        found, outcome = neutral, "late"
        try:
            with anyio.move_on_after(self._settings.deadline_ms / 1000):
                found = await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._workers)
                outcome = "answered"
        except QueryError:
            raise
        except Exception:
            _log.exception("extender %s failed, answering neutrally", verb)
            outcome = "failed"
        self._meter.count("sizewise_extender_calls_total", verb=verb, outcome=outcome)
        return found


def extender_routes(view: View, supplies: Supplies, settings: ExtenderSettings, meter: Meter) -> APIRouter:
    routes, extender = APIRouter(tags=["scheduler extender"]), Extender(view, supplies, settings, meter)

    @routes.post(
        "/v1/extender/filter",
        summary="Nodes whose GPUs can never run the pod; kube-scheduler's extender, verb filter",
        response_class=Json,
        responses={200: {"model": FilterResult}, **documented(400, 411, 413, 422)},
        openapi_extra=_EXTRA,
    )
    async def post_filter(request: Request, asker: Asking, cluster: Cluster = None) -> Response:
        return Json(await extender.filter(read_call(await request.body()), cluster, asker.scope))

    @routes.post(
        "/v1/extender/prioritize",
        summary="How well the pod would stand on each node, 0 to 10; kube-scheduler's extender, verb prioritize",
        response_class=Json,
        responses={200: {"model": list[HostPriority]}, **documented(400, 411, 413, 422)},
        openapi_extra=_EXTRA,
    )
    async def post_prioritize(request: Request, asker: Asking, cluster: Cluster = None) -> Response:
        return Json(await extender.prioritize(read_call(await request.body()), cluster, asker.scope))

    return routes


def schemas() -> dict[str, Any]:
    """The OpenAPI component that the routes' bodies refer to: they are read by hand, in any case of their keys."""
    return {"ExtenderArgs": ExtenderArgs.model_json_schema()}


def _filter_result(call: Call, unfit: Mapping[str, str]) -> dict[str, Any]:
    passing = [name for name in call.names if name not in unfit]
    items: dict[str, Any] | None = None
    if call.items is not None:
        left = [item for name, item in zip(call.names, call.items, strict=True) if name not in unfit]
        items = {"apiVersion": "v1", "kind": "NodeList", "metadata": {}, "items": left}
    return {
        "Nodes": items,
        "NodeNames": passing if items is None else None,
        "FailedNodes": {},
        "FailedAndUnresolvableNodes": dict(unfit),
        "Error": "",
    }
