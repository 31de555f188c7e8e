"""A review as the API server sends it, into the answer. Fails open: whatever comes, `allowed` is what goes back."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from models.audit import AuditEntry
from models.quantity import QuantityError
from recommender.admission.depth import deeper_than
from recommender.admission.facts import Facts
from recommender.admission.mode import Mode, mode_of
from recommender.admission.pod_review import Book, Verdict, review_pod
from recommender.admission.settings import WebhookSettings
from recommender.admission.wire import Answer, AnswerReview, Pod, Request, Review

_UID = re.compile(rb'"uid"\s*:\s*"([0-9A-Za-z-]{1,64})"')
_UID_WITHIN = 400
"""Bytes: the API server writes the uid first."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """body: the AdmissionReview to send. outcome: for counting. entry: for the audit trail, where a pod was changed."""

    body: bytes
    outcome: str
    entry: AuditEntry | None = None


class Reviewer:
    """Used by one event loop. No I/O."""

    def __init__(self, settings: WebhookSettings, book: Book, facts: Facts, now_s: Callable[[], float]) -> None:
        self._settings, self._book, self._facts, self._now_s = settings, book, facts, now_s
        self._namespaces = {name: _mode(word) for name, word in settings.pods.namespaces.items()}
        self._mode, self._ceiling = _mode(settings.pods.mode), _mode(settings.pods.ceiling)
        self._review = msgspec.json.Decoder(Review)
        self._pod = msgspec.json.Decoder(Pod)
        self.stopped = False
        """The kill switch: nothing is looked at while it is set."""

    def review(self, body: bytes, told: Mode | None) -> Reviewed:
        """`told`: what the path of the call says of the namespace's label."""
        try:
            return self._reviewed(body, told)
        except (msgspec.MsgspecError, UnicodeError, QuantityError) as error:
            return allowed(body, "unreadable", f"sizewise could not read this pod: {error}")
        except Exception:  # a pod must never fail because the webhook does
            _log.exception("a review failed; the pod stays as it came")
            return allowed(body, "error")

    def _reviewed(self, body: bytes, told: Mode | None) -> Reviewed:
        if self.stopped:
            return allowed(body, "stopped")
        if deeper_than(body, self._settings.depth_limit):
            return allowed(body, "unreadable")
        request = self._review.decode(body).request
        if request is None or not _is_new_pod(request):
            return allowed(body, "not-a-new-pod")
        pod = self._pod.decode(request.object)
        namespace = request.namespace or pod.metadata.namespace or ""
        mode, now_s = self._mode_of(namespace, told), self._now_s()
        verdict = review_pod(pod, namespace, mode, self._settings.pods, self._book, self._facts, now_s)
        entry = None if request.dry_run else self._entry(request, pod, namespace, verdict, now_s)
        return Reviewed(_body(request.uid, verdict, mode), verdict.outcome, entry)

    def _mode_of(self, namespace: str, told: Mode | None) -> Mode:
        """Settings win over the label, as who runs the webhook wins over who owns a namespace."""
        mode = self._namespaces.get(namespace, told)
        if mode is None:
            facts = self._facts.namespace(namespace)
            mode = facts.mode if facts and facts.mode is not None else self._mode
        return min(mode, self._ceiling)

    def _entry(self, request: Request, pod: Pod, namespace: str, verdict: Verdict, now_s: float) -> AuditEntry | None:
        if not verdict.changes:
            return None
        by = request.user_info.username if request.user_info else None
        details = {"recommendations": ",".join(verdict.ids), "workloads": ",".join(verdict.workloads)}
        details |= {"requested_by": by or ""} | {f"container {name}": text for name, text in verdict.changes.items()}
        return AuditEntry(
            int(now_s * 1000),
            "webhook",
            "apply",
            "applied",
            "admission",
            f"{namespace}/{request_name(pod)}",
            f"{self._book.cluster}/{namespace}",
            details,
            request.uid,
        )


def request_name(pod: Pod) -> str:
    """Its name, or what it begins with: the API server may add the rest later."""
    return pod.metadata.name or f"{pod.metadata.generate_name or ''}*"


def allowed(body: bytes, outcome: str, warning: str = "") -> Reviewed:
    """The answer that changes nothing, made from as little of the review as there is."""
    match = _UID.search(body, 0, _UID_WITHIN)
    answer = Answer(match[1].decode() if match else "", True, warnings=[warning[:120]] if warning else [])
    return Reviewed(msgspec.json.encode(AnswerReview(answer)), outcome)


def _is_new_pod(request: Request) -> bool:
    kind = request.resource
    return (kind.group, kind.resource, request.operation) == ("", "pods", "CREATE") and not request.sub_resource


def _body(uid: str, verdict: Verdict, mode: Mode) -> bytes:
    answer = Answer(uid, True, warnings=list(verdict.warnings))
    if verdict.patch:
        answer.patch_type = "JSONPatch"
        answer.patch = base64.b64encode(msgspec.json.encode(verdict.patch)).decode()
    if verdict.ids:
        ids = ",".join(verdict.ids)
        answer.audit_annotations = {"recommendation-id": ids, "outcome": verdict.outcome, "mode": mode.word}
    return msgspec.json.encode(AnswerReview(answer))


def _mode(word: str) -> Mode:
    found = mode_of(word)
    assert found is not None, f"settings let {word!r} through"
    return found
