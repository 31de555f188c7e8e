"""The REST API as one application over one view. No state of its own; every answer comes from one snapshot."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response  # noqa: TID251 - this is fastapi's one home
from fastapi.responses import HTMLResponse  # noqa: TID251

from models.metrics import Meter
from recommender.access.guard import Guard
from recommender.access.restrict import restrict
from recommender.api import answers, problems
from recommender.api.decide import Decider
from recommender.api.decide_kin import KinOf
from recommender.api.decide_routes import decide_routes
from recommender.api.docs_page import page
from recommender.api.edge import Edge
from recommender.api.expect import expect_routes
from recommender.api.extender_routes import extender_routes
from recommender.api.extender_routes import schemas as extender_schemas
from recommender.api.feed_routes import feed_routes
from recommender.api.fingerprints import Fingerprints
from recommender.api.gate import REFUSALS, VERB_KEY, Asking, Gate, RouteTable, needs
from recommender.api.json_response import Json
from recommender.api.listing import NodeQuery
from recommender.api.pack import needs_inventory, pack_answer
from recommender.api.pack_body import PackAnswer, PackRequest
from recommender.api.place import place
from recommender.api.place_body import PlaceAnswer, PlaceRequest
from recommender.api.problems import Problem, documented
from recommender.api.scrape import Exposed, scraped
from recommender.api.settings import ApiSettings
from recommender.api.slices import SliceAdvisor
from recommender.api.workload_routes import workload_routes
from recommender.fingerprint.recogniser import Recogniser
from recommender.kin.keeper import KinKeeper
from recommender.placement.inventory import TopologyLabels
from recommender.supply import Supplies
from recommender.view import View

_ABOUT = (
    "What workloads use, and what to give them. Quantities are per instance, in base units that each field's name says "
    "(cores, bytes, ratios from 0 to 1). A value that is not known is null, and `missing` beside it says why. Errors are "
    "RFC 9457 problem+json. Answers come from memory: they are as new as the view, and cost no database call."
)


def create_app(
    view: View,
    settings: ApiSettings,
    meter: Meter,
    now: Callable[[], float],
    exposition: Exposed,
    guard: Guard | None = None,
    recogniser: Recogniser | None = None,
    kin: KinKeeper | None = None,
    packed: Exposed | None = None,
) -> FastAPI:
    """The application. `now` in seconds, for request times; `exposition` gives /metrics and its content type, `packed` the
    same as gzip. guard None: nobody is asked for a token; recogniser None: none that a thread keeps up to date, so no
    fingerprints."""
    # no Swagger page: it loads scripts from another site; `page` renders the same from here
    app = _Application(title="sizewise", version=version("sizewise"), description=_ABOUT, docs_url=None, redoc_url=None)
    problems.install(app)
    supplies = Supplies(TopologyLabels(settings.place.nvlink_labels, settings.place.rack_labels))
    decider = Decider(SliceAdvisor(settings.mig))
    kin_of = KinOf(kin or KinKeeper(view), now)
    routers = (
        workload_routes(view, settings, decider, Fingerprints(recogniser or Recogniser(settings.fingerprint.model))),
        _node_routes(view),
        _placement_routes(view, supplies, decider.slices),
        decide_routes(view, supplies, decider, kin_of),
        expect_routes(view, kin_of),
        feed_routes(view, settings.feed, meter),
        extender_routes(view, supplies, settings.extender, meter),
        _own_routes(app, view, exposition, packed),
    )
    for router in routers:
        app.include_router(router)
    app.add_middleware(Gate, table=RouteTable(routers), guard=guard)
    hosts, limit = settings.allowed_hosts if settings.checks_host else None, settings.body_limit_bytes
    app.add_middleware(Edge, meter=meter, now=now, allowed_hosts=hosts, body_limit_bytes=limit)
    return app


def _node_routes(view: View) -> APIRouter:
    routes = APIRouter(tags=["nodes"])

    @routes.get(
        "/v1/nodes",
        summary="Nodes: what they are, what they hold, which signals they see",
        response_class=Json,
        responses={200: {"model": answers.NodeList}, **documented(400, 422)},
        openapi_extra=needs("read"),
    )
    def list_nodes(query: Annotated[NodeQuery, Query()], asker: Asking) -> Response:
        nodes = [
            node
            for node in restrict(view.snapshot, asker.scope).nodes.values()
            if query.cluster in (None, node.cluster)
        ]
        return Json({"nodes": nodes, "total": len(nodes)})

    return routes


def _placement_routes(view: View, supplies: Supplies, slices: SliceAdvisor) -> APIRouter:
    routes = APIRouter(tags=["placement"])

    @routes.post(
        "/v1/place",
        summary="Nodes and GPUs for one job or a gang, best first, with reasons; nothing is reserved",
        response_class=Json,
        responses={200: {"model": PlaceAnswer}, **documented(400, 411, 413, 422)},
        openapi_extra=needs("place"),
    )
    def post_place(asked: PlaceRequest, asker: Asking) -> Response:
        snapshot = view.snapshot
        return Json(place(restrict(snapshot, asker.scope), supplies.seen(snapshot, asker.scope), asked))

    @routes.post(
        "/v1/pack",
        summary="Workloads and services on the fewest GPUs by MIG: layout per GPU, moves, room for more",
        response_class=Json,
        responses={200: {"model": PackAnswer}, **documented(400, 411, 413, 422)},
        openapi_extra=needs("place"),
    )
    def post_pack(asked: PackRequest, asker: Asking) -> Response:
        if needs_inventory(asked) and not asker.scope.everywhere:
            raise Problem(403, "verb-not-allowed", "Not allowed", _PACK_ALL)
        return Json(pack_answer(restrict(view.snapshot, asker.scope), asked, slices))

    return routes


def _own_routes(app: FastAPI, view: View, exposition: Exposed, packed: Exposed | None) -> APIRouter:
    routes = APIRouter(tags=["sizewise itself"])

    @routes.get("/healthz", summary="Whether the process answers", responses=documented(400))
    def healthz() -> answers.Health:
        return answers.Health()

    @routes.get("/readyz", summary="Whether the view was complete once", responses=documented(400, 503))
    def readyz(asker: Asking) -> answers.Ready:
        if missing := dict(view.missing):
            detail = "; ".join(f"{what}: {why}" for what, why in missing.items())
            faults = [{"field": what, "value": None, "mend": f"wait: {why}"} for what, why in missing.items()]
            raise Problem(503, "not-ready", "The view is not complete yet", detail, faults)
        return answers.Ready(workloads=len(view.snapshot) if asker.scope.everywhere else None)

    @routes.get(
        "/metrics",
        summary="Own metrics, for Prometheus",
        response_class=Response,
        openapi_extra=needs("metrics"),
    )
    def metrics(request: Request) -> Response:
        return scraped(request.headers.get("accept-encoding", ""), exposition, packed)

    @routes.get("/", include_in_schema=False)
    @routes.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()))

    return routes


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The document, with the body of errors, which FastAPI would file under application/json, and what the gate says."""
        document = super().openapi()
        document["components"]["schemas"].update(problems.schemas() | extender_schemas())
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for operation in (one for path in document["paths"].values() for one in path.values() if VERB_KEY in one):
            operation["responses"] |= {str(code): said for code, said in documented(*REFUSALS).items()}
        return document


_PACK_ALL = (
    "To pack the GPUs of the inventory is to move whoever is on them: it needs every namespace. Give `gpus` or `kinds`, and "
    "it plans with those alone."
)
