"""The application, called as a server calls it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from models.audit import AuditEntry
from models.metrics import NullMeter
from recommender.admission.app import AdmissionApp
from recommender.admission.probes import ProbeApp
from recommender.admission.review import Reviewer
from recommender.admission.settings import WebhookSettings
from tests.recommender.admission.pods import NOW_S, UID, Known, pod, review_of

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


@dataclass
class Outcomes(NullMeter):
    """Remembers what reviews came to."""

    seen: list[str] = field(default_factory=list)

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        super().count(name, amount, **labels)
        self.seen.append(labels["outcome"])


@dataclass
class Webhook:
    """The application with all that it needs, and what it told. clock: what it reads, then 0."""

    ready: bool = True
    deadline_s: float = 1.0
    body_limit_bytes: int = 100_000
    clock: Sequence[float] = ()
    meter: Outcomes = field(default_factory=Outcomes)
    told: list[AuditEntry] = field(default_factory=list)

    def app(self) -> AdmissionApp:
        known, ticks = Known(), iter(self.clock)
        return AdmissionApp(
            Reviewer(WebhookSettings(), known, known, lambda: NOW_S),
            self.meter,
            lambda: next(ticks, 0.0),
            lambda: self.ready,
            lambda: (b"metrics", "text/plain"),
            self.told.append,
            self.deadline_s,
            self.body_limit_bytes,
        )


def call(app: App, path: str, *pieces: bytes, method: str = "POST", delay_s: float = 0.0) -> tuple[int, bytes]:
    """Status and body. `delay_s`: before each piece."""
    waiting = list(pieces or (b"",))
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(delay_s)
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await app({"type": "http", "path": path, "method": method}, receive, send)

    asyncio.run(run())
    return sent[0]["status"], sent[1]["body"]


def response(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)["response"]
    return found


@pytest.mark.parametrize(
    ("path", "outcome"),
    [("/mutate/apply", "applied"), ("/mutate/recommend", "recommended"), ("/mutate", "recommended")],
)
def test_the_path_tells_the_mode(path: str, outcome: str) -> None:
    """/mutate leaves it to labels and settings."""
    webhook = Webhook()
    status, body = call(webhook.app(), path, review_of(pod()))
    assert (status, webhook.meter.seen) == (200, [outcome])
    assert response(body)["patchType"] == "JSONPatch"
    assert len(webhook.told) == (outcome == "applied")


def test_a_body_in_pieces_is_one_body() -> None:
    """However the network cuts it."""
    body = review_of(pod())
    pieces = [body[i : i + 100] for i in range(0, len(body), 100)]
    assert response(call(Webhook().app(), "/mutate/apply", *pieces)[1])["patch"]


@pytest.mark.parametrize("pieces", [(b"x" * 101,), (b"x" * 60, b"x" * 60)])
def test_a_body_over_the_limit_is_not_read(pieces: tuple[bytes, ...]) -> None:
    """413, as VPA's controller answers; to the API server any failure lets the pod start."""
    webhook = Webhook(body_limit_bytes=100)
    assert call(webhook.app(), "/mutate", *pieces)[0] == 413
    assert webhook.meter.seen == ["too-large"]


def test_a_body_that_takes_too_long_is_answered_at_the_deadline() -> None:
    """The pod starts as it came, before the API server's own limit of 2 s."""
    webhook = Webhook(deadline_s=0.05)
    status, body = call(webhook.app(), "/mutate", review_of(pod()), delay_s=0.5)
    assert (status, response(body)["allowed"], webhook.meter.seen) == (200, True, ["late"])


def test_a_review_that_waited_too_long_is_not_begun() -> None:
    """The clock says 0 s when it came and 1.5 s when its body was there."""
    webhook = Webhook(clock=[0.0, 1.5])
    _, body = call(webhook.app(), "/mutate", review_of(pod()))
    assert response(body) == {"uid": UID, "allowed": True}
    assert webhook.meter.seen == ["late"]


def test_before_the_log_was_read_pods_stay_as_they_come() -> None:
    """Answered at once, and /readyz says that it is not ready."""
    webhook = Webhook(ready=False)
    assert response(call(webhook.app(), "/mutate/apply", review_of(pod()))[1]) == {"uid": UID, "allowed": True}
    assert webhook.meter.seen == ["not-ready"]
    assert call(webhook.app(), "/readyz", method="GET")[0] == 503


def test_probes() -> None:
    """On both listeners; only the first one reviews."""
    probes = ProbeApp(lambda: True, lambda: (b"metrics", "text/plain"))
    for app in (Webhook().app(), probes):
        assert call(app, "/healthz", method="GET") == (200, b"ok\n")
        assert call(app, "/readyz", method="GET") == (200, b"ready\n")
        assert call(app, "/metrics", method="GET") == (200, b"metrics")
    assert call(probes, "/mutate", review_of(pod()))[0] == 404
    assert call(Webhook().app(), "/mutate", method="GET")[0] == 404
