"""The parts of an AdmissionReview that are read, `admission.k8s.io/v1`. All else is skipped by the parser and lives on,
because a patch names only what it changes."""

from __future__ import annotations

from typing import Any

import msgspec

Quantities = dict[str, str | int | float]


class Wire(msgspec.Struct, rename="camel", gc=False):
    """gc=False: no cycles can arise, so the collector need not walk them."""


class Resources(Wire):
    requests: Quantities | None = None
    limits: Quantities | None = None
    claims: list[Any] | None = None


class Container(Wire):
    name: str = ""
    resources: Resources | None = None
    restart_policy: str | None = None


class OwnerReference(Wire):
    kind: str = ""
    name: str = ""
    controller: bool | None = None


class Metadata(Wire):
    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None


class Affinity(Wire):
    node_affinity: Any = None


class PodSpec(Wire):
    containers: list[Container] = []
    init_containers: list[Container] | None = None
    resources: Resources | None = None
    resource_claims: list[Any] | None = None
    node_name: str | None = None
    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None
    tolerations: msgspec.Raw = msgspec.Raw(b"null")
    """Packed: a review does not look at them, a scheduler extender does."""


class Pod(Wire):
    """Without metadata there is no place for an annotation: such a pod cannot be read."""

    metadata: Metadata
    spec: PodSpec


class GroupVersionResource(Wire):
    group: str = ""
    version: str = ""
    resource: str = ""


class User(Wire):
    username: str | None = None


class Request(Wire):
    """`object` stays packed until it is known to be a pod."""

    uid: str
    resource: GroupVersionResource = msgspec.field(default_factory=GroupVersionResource)
    sub_resource: str | None = None
    operation: str = ""
    namespace: str | None = None
    dry_run: bool | None = None
    user_info: User | None = None
    object: msgspec.Raw = msgspec.Raw(b"")


class Review(Wire):
    request: Request | None = None


class Answer(msgspec.Struct, rename="camel", omit_defaults=True):
    uid: str
    allowed: bool
    patch_type: str | None = None
    patch: str | None = None
    warnings: list[str] = []
    audit_annotations: dict[str, str] = {}


class AnswerReview(msgspec.Struct, rename="camel"):
    response: Answer
    api_version: str = "admission.k8s.io/v1"
    kind: str = "AdmissionReview"
