"""What carried a decision, what would change it, and how it came about day by day."""

from __future__ import annotations

import numpy as np
import pytest
from starlette.testclient import TestClient

from models.histogram import to_log_code
from models.outcome import Outcome
from models.profile import DAY_LEVELS, MEMORY
from models.reasons import Action, Reason
from recommender.api import answers
from recommender.recommendation_id import recommendation_id
from recommender.sizing.experts.catalogue import EXPERTS
from recommender.view import Snapshot
from tests.recommender.api.test_api import client_over
from tests.recommender.view_columns import DAY_MS, GIB, slab

KNOWN = "prod/shop/Deployment/cart/server"
COLD = "prod/shop/Deployment/new/server"
NAN = float("nan")
MAX_14 = EXPERTS["memory"].label(26)


@pytest.fixture(scope="module")
def client() -> TestClient:
    """Two workloads on day 40, column 8: one that the experts know, seen on days 39 and 40, and one that is new."""
    days = np.zeros((2, 2, 32), dtype=np.uint16)
    days[0, MEMORY, [7, 8]] = to_log_code(np.array([3 * GIB, 2 * GIB]))
    quantile = np.zeros((2, 2, 32, len(DAY_LEVELS)), dtype=np.uint16)
    quantile[0, MEMORY, 7] = to_log_code(np.array([GIB] * len(DAY_LEVELS)))
    peak, p95 = np.full((2, 2, 2, 32), NAN)
    peak[0, MEMORY, [7, 8]], p95[0, MEMORY, 7] = (1.5 * GIB, 1.25 * GIB), 1.25 * GIB
    part = slab(
        [KNOWN, COLD],
        profile={"newest_day": 40, "daily_peak": peak, "daily_p95": p95, "daily_quantile": quantile},
        action=[[Action.LOWER] * 2, [Action.SET] * 2],
        reasons=[[0, int(Reason.EXPERTS | Reason.GROWING)], [0, 0]],
        target=[[1, 2 * GIB], [1, GIB]],
        computed_ms=40 * DAY_MS,
        evidence_from_ms=DAY_MS,
        evidence_to_ms=40 * DAY_MS,
        history_day=[40, 40],
        target_days=days,
        applied_ms=[[0, 38 * DAY_MS], [0, 0]],
        outcome=[[Outcome.NONE, Outcome.OOM_KILLED], [Outcome.NONE] * 2],
        expert_limit=[[NAN, 1.9 * GIB], [NAN, NAN]],
        expert_slack_ratio=[[NAN, 0.4], [NAN, NAN]],
        own_share_ratio=[[NAN, 0.75], [NAN, NAN]],
        carrier=[[[0, 0, 0], [26, 14, 0]], [[0] * 3] * 2],
        carrier_weight=[[[NAN] * 3, [0.5, 0.25, 0.125]], [[NAN] * 3] * 2],
        carrier_limit=[[[NAN] * 3, [2 * GIB, GIB, GIB]], [[NAN] * 3] * 2],
    )
    return client_over(Snapshot({(0, "slab/0"): part}))


def test_three_experts_with_their_weights(client: TestClient) -> None:
    body = client.get(f"/v1/workloads/{KNOWN}/recommendation").json()
    answers.RecommendationAnswer.model_validate(body, extra="forbid")
    told = body["memory_explanation"]
    assert told["experts"][0] == {"expert": "max 14 d x1.16", "weight_ratio": 0.5, "limit_bytes": 2 * GIB}
    assert [expert["weight_ratio"] for expert in told["experts"]] == [0.5, 0.25, 0.125]
    assert (told["own_share_ratio"], told["prior_share_ratio"]) == (0.75, 0.25)
    assert "when it stops growing for some days, what was added for growth goes" in told["would_change"]


def test_a_new_workload_says_what_it_waits_for(client: TestClient) -> None:
    """No expert speaks yet: every number is null, with its reason."""
    told = client.get(f"/v1/workloads/{COLD}/recommendation").json()["memory_explanation"]
    assert told["experts"] == []
    empty = {name for name, value in told.items() if value is None}
    assert empty == set(told["missing"])
    assert len(empty) == 8
    assert told["would_change"][0].startswith("after 7 days with usage")


def test_a_series_has_a_value_or_null_for_every_day(client: TestClient) -> None:
    """Days 9 to 40; usage of day 40 is running, so only its peak is known; targets of the last two days."""
    body = client.get(f"/v1/workloads/{KNOWN}/series").json()
    answers.Series.model_validate(body, extra="forbid")
    assert (body["days"][0], body["days"][-1], len(body["days"])) == ("1970-01-10", "1970-02-10", 32)
    memory = body["memory_bytes"]
    assert memory["usage_peak"][-2:] == [1.5 * GIB, 1.25 * GIB]
    assert memory["usage_p95"][-2:] == [1.25 * GIB, None]
    assert memory["target"][-2:] == pytest.approx([3 * GIB, 2 * GIB], rel=1e-3)
    assert memory["request"] == [None] * 32


def test_a_series_of_nobody_is_not_found(client: TestClient) -> None:
    assert client.get("/v1/workloads/a/b/c/d/e/series").status_code == 404


def test_what_became_of_a_change_and_which_recommendation_it_followed(client: TestClient) -> None:
    """Memory of the one was set as recommended on day 38 and killed; of CPU no change was seen, with the reason."""
    body = client.get(f"/v1/workloads/{KNOWN}/recommendation").json()
    memory, cpu = body["memory_explanation"], body["cpu_explanation"]
    assert memory["change_followed"] == recommendation_id(KNOWN, 38 * DAY_MS)
    assert memory["change_outcome"] == "oom-killed"
    assert (cpu["change_followed"], cpu["change_outcome"]) == (None, "none")
    assert "change_followed" in cpu["missing"]
