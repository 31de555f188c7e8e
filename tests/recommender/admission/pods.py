"""Pods, reviews and what is known of them, as tests write them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonpatch

from models.owners import Owner
from models.reasons import Action
from recommender.admission.advice import Advice, ResourceAdvice, SliceAdvice
from recommender.admission.facts import NamespaceFacts
from recommender.admission.mode import Mode
from recommender.admission.review import Reviewed, Reviewer
from recommender.admission.settings import PodPolicy, WebhookSettings

GIB = 2.0**30
NOW_S = 1_800_000_000.0
UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
FREE = NamespaceFacts()
Json = dict[str, Any]


def resource(target: float, reasons: int = 0, action: Action = Action.LOWER) -> ResourceAdvice:
    """With bounds a fifth around the target."""
    return ResourceAdvice(int(action), reasons, target, 0.8 * target, 1.2 * target)


def advice(
    cpu: float = 1.0, memory: float = 2 * GIB, workload: str = "c/ns/Deployment/app/main", **more: Any
) -> Advice:
    return Advice("rec-1", workload, more.get("confidence", 1.0), (resource(cpu), resource(memory)))


@dataclass
class Known:
    """A book and facts, by workload id."""

    advised: Mapping[str, Advice] = field(default_factory=lambda: {"c/ns/Deployment/app/main": advice()})
    slices: Mapping[str, SliceAdvice] = field(default_factory=dict)
    rules: NamespaceFacts | None = FREE
    vpas: frozenset[Owner] = frozenset()
    parents: Mapping[str, Owner] = field(default_factory=dict)
    cluster: str = "c"

    def advice(self, workload: str) -> Advice | None:
        return self.advised.get(workload)

    def slice_of(self, workload: str) -> SliceAdvice | None:
        return self.slices.get(workload)

    def namespace(self, name: str) -> NamespaceFacts | None:
        return self.rules

    def parent(self, namespace: str, kind: str, name: str) -> Owner | None:
        return self.parents.get(name)

    def has_vpa(self, namespace: str, owner: Owner) -> bool:
        return owner in self.vpas


def sizes(requests: Json | None = None, limits: Json | None = None) -> Json:
    return {part: value for part, value in (("requests", requests), ("limits", limits)) if value is not None}


def container(name: str = "main", resources: Json | None = None, **more: Any) -> Json:
    return {"name": name, "image": "i", "resources": resources or sizes({"cpu": "4", "memory": "8Gi"}), **more}


def pod(*containers: Json, annotations: Json | None = None, **spec: Any) -> Json:
    """Of a Deployment `app`, as its ReplicaSet makes them."""
    metadata: Json = {"generateName": "app-5d4f8c7b9-", "labels": {"pod-template-hash": "5d4f8c7b9"}}
    metadata["ownerReferences"] = [{"kind": "ReplicaSet", "name": "app-5d4f8c7b9", "controller": True}]
    if annotations is not None:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": {"containers": list(containers) or [container()], **spec}}


def review_of(made: Json, **request: Any) -> bytes:
    kind = {"group": "", "version": "v1", "resource": "pods"}
    asked = {"uid": UID, "resource": kind, "operation": "CREATE", "namespace": "ns", "object": made, **request}
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}).encode()


@dataclass(frozen=True)
class Seen:
    """What came of a review. pod: with the patch applied, as the API server applies it."""

    reviewed: Reviewed
    pod: Json
    patch: list[Json]
    warnings: list[str]
    audit: Json

    def resources(self, index: int = 0, where: str = "containers") -> Json:
        found: Json = self.pod["spec"][where][index]["resources"]
        return found

    def annotation(self, name: str) -> Any:
        return json.loads(self.pod["metadata"]["annotations"][f"sizewise.dev/{name}"])


def reviewed(
    made: Json,
    known: Known | None = None,
    policy: PodPolicy | None = None,
    mode: Mode | None = Mode.APPLY,
    **request: Any,
) -> Seen:
    known = known or Known()
    reviewer = Reviewer(WebhookSettings(pods=policy or PodPolicy()), known, known, lambda: NOW_S)
    found = reviewer.review(review_of(made, **request), mode)
    response = json.loads(found.body)["response"]
    patch = json.loads(base64.b64decode(response["patch"])) if "patch" in response else []
    assert response["allowed"] is True
    assert response["uid"] == UID
    return Seen(
        found,
        jsonpatch.apply_patch(made, patch),
        patch,
        response.get("warnings", []),
        response.get("auditAnnotations", {}),
    )
