"""POST /v1/expect: what a job will need, over the whole application."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from models.metrics import NullMeter
from recommender.api.app import create_app
from recommender.api.expect_body import ExpectAnswer
from recommender.api.settings import ApiSettings
from recommender.view import Snapshot, View
from tests.recommender.kin.fleets import GIB, fleet, job, node

BERTS = fleet(
    [job(f"bert-{k}") for k in range(12)], 8.0, 32.0, nodes={"c/n": node(**{"bert-0": ("ml/bert:1", "train.py")})}
)


def client(snapshot: Snapshot) -> TestClient:
    view = View()
    view.snapshot, view.missing = snapshot, {}
    app = create_app(view, ApiSettings(), NullMeter(), lambda: 0.0, lambda: (b"", "text/plain"))
    return TestClient(app, base_url="http://localhost:8080")


def expected(snapshot: Snapshot, **asked: Any) -> dict[str, Any]:
    answer = client(snapshot).post("/v1/expect", json=asked)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    ExpectAnswer.model_validate(body, extra="forbid")
    return body


def test_a_new_job_is_told_by_its_kin() -> None:
    """Twelve berts use 8 cores and 32 GiB: so will the next, and the answer says by whom, and what is not known."""
    body = expected(BERTS, workload=job("bert-new"), image="ghcr.io/ml/bert:2", gpus=0)
    assert body["cpu_p50_cores"]["guess"] == pytest.approx(8.0, rel=0.01)
    assert body["memory_peak_bytes"]["guess"] == pytest.approx(1.2 * 32 * GIB, rel=0.01)
    assert body["cpu_p50_cores"]["low"] <= 8.0 <= body["cpu_p50_cores"]["high"] * 1.001
    assert body["kin"][0] | {"distance": 0, "weight_ratio": 0} == {
        "workload": job("bert-0"), "image": "ml/bert:1", "command": "train.py", "distance": 0, "weight_ratio": 0,
    }  # fmt: skip
    assert body["gpu_memory_peak_bytes"] is None
    assert body["missing"]["gpu_memory_peak_bytes"] == "it asks for no GPU"


def test_nothing_known_is_null_with_reasons() -> None:
    body = expected(Snapshot(), image="x", gpus=1)
    assert {body[name] for name in ("cpu_p50_cores", "run_time_s", "bottleneck")} == {None}
    assert {"cpu_p50_cores", "run_time_s", "bottleneck", "kin"} <= set(body["missing"])


@pytest.mark.parametrize("wrong", [{"gpus": -1}, {"batch_size": 0}, {"unknown": 1}, {"command": "sh"}])
def test_a_question_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    answer = client(BERTS).post("/v1/expect", json=wrong)
    assert answer.status_code == 422
    assert next(iter(wrong)) in answer.json()["errors"][0]["field"]
