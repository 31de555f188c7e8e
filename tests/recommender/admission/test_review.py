"""Fails open: whatever comes, `allowed` goes back, with the uid where it can be told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recommender.admission.advice import Advice
from recommender.admission.mode import Mode
from recommender.admission.review import Reviewer
from recommender.admission.settings import WebhookSettings
from tests.recommender.admission.pods import NOW_S, UID, Known, pod, review_of, reviewed


class Broken(Known):
    """A book with a fault of its own."""

    def advice(self, workload: str) -> Advice | None:
        raise RuntimeError("a fault")


def answer(body: bytes, known: Known | None = None) -> tuple[str, dict[str, Any]]:
    known = known or Known()
    found = Reviewer(WebhookSettings(), known, known, lambda: NOW_S).review(body, Mode.APPLY)
    return found.outcome, json.loads(found.body)["response"]


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"{}", b'{"request": 3}', b"\xff\xfe", b"\x00" * 100])
def test_what_is_no_review_is_allowed(body: bytes) -> None:
    """There is no uid to tell."""
    outcome, response = answer(body)
    assert outcome in ("unreadable", "not-a-new-pod")
    assert (response["allowed"], response["uid"]) == (True, "")


def test_a_review_that_is_cut_short_is_allowed_by_its_uid() -> None:
    """The API server writes the uid first, and takes no answer without it."""
    outcome, response = answer(review_of(pod())[:200])
    assert outcome == "unreadable"
    assert (response["allowed"], response["uid"]) == (True, UID)


def test_a_fault_of_our_own_is_allowed(caplog: pytest.LogCaptureFixture) -> None:
    """And logged with its trace."""
    outcome, response = answer(review_of(pod()), Broken())
    assert outcome == "error"
    assert (response["allowed"], response["uid"]) == (True, UID)
    assert "a fault" in caplog.text


def test_a_review_that_is_nested_too_deep_is_not_parsed() -> None:
    """Over 100 levels with those that a review has; 80 are read and make no difference."""
    for depth, outcome in ((101, "unreadable"), (80, "applied")):
        deep: Any = 1
        for _ in range(depth):
            deep = [deep]
        assert answer(review_of(pod(extra=deep)))[0] == outcome


def test_a_quantity_that_is_none_leaves_the_pod_alone_and_says_so() -> None:
    """The API server will refuse the pod itself."""
    made = pod()
    made["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "many"
    outcome, response = answer(review_of(made))
    assert outcome == "unreadable"
    assert response["warnings"][0].startswith("sizewise could not read this pod: cpu = 'many'")


@pytest.mark.parametrize(
    "request_",
    [
        {"operation": "UPDATE"},
        {"subResource": "resize"},
        {"resource": {"group": "apps", "version": "v1", "resource": "deployments"}},
    ],
)
def test_only_new_pods_are_looked_at(request_: dict[str, Any]) -> None:
    """Whatever a configuration sends by mistake."""
    assert reviewed(pod(), **request_).reviewed.outcome == "not-a-new-pod"


def test_the_kill_switch_stops_everything() -> None:
    """No patch, no warning."""
    known = Known()
    reviewer = Reviewer(WebhookSettings(), known, known, lambda: NOW_S)
    reviewer.stopped = True
    found = reviewer.review(review_of(pod()), Mode.APPLY)
    assert found.outcome == "stopped"
    assert json.loads(found.body)["response"] == {"uid": UID, "allowed": True}


def test_unknown_fields_of_the_future_are_no_hindrance() -> None:
    """At every level that is read."""
    made = pod(future=[{"a": None}])
    made["metadata"]["future"] = 1
    made["spec"]["containers"][0] |= {"future": {}, "resources": made["spec"]["containers"][0]["resources"] | {"x": []}}
    assert reviewed(made, future={"y": 2}).reviewed.outcome == "applied"
