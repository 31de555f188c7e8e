"""Questions to POST /v1/recommend."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from models.inventory import Node
from models.reasons import Action, Reason
from recommender.api.decide_body import DecisionAnswer
from recommender.view import Snapshot
from tests.recommender.api.nodes import GIB
from tests.recommender.view_columns import slab

CART = "prod/shop/Deployment/cart/server"
NAN = float("nan")
SPOT = {"checkpoint_cost_s": 60, "restart_s": 120, "interruptions_per_hour": 0.5}


def cart(**values: Any) -> Snapshot:
    """0.5 cores and 2 GiB are right for it; 0.4 to 0.7 cores and 1.5 to 3 GiB will do."""
    told = {
        "action": [[Action.LOWER, Action.RAISE]],
        "reasons": [[int(Reason.PERCENTILE), int(Reason.PEAK)]],
        "target": [[0.5, 2 * GIB]],
        "lower": [[0.4, 1.5 * GIB]],
        "upper": [[0.7, 3 * GIB]],
        "confidence": 0.8,
    }
    return Snapshot({(0, "slab/0"): slab([CART], **(told | values))})


def nodes(*made: Node) -> dict[str, Node]:
    return {f"{n.cluster}/{n.name}": n for n in made}


def ask(client: TestClient, **body: Any) -> dict[str, Any]:
    """The answer to one job, which fits its documented model."""
    answer = client.post("/v1/recommend", json=body)
    assert answer.status_code == 200, answer.text
    DecisionAnswer.model_validate(answer.json(), extra="forbid")
    found: dict[str, Any] = answer.json()
    return found


def codes(reasons: list[dict[str, str]]) -> list[str]:
    return [reason["code"] for reason in reasons]
