"""Which workload a pod will be: the ids under which its containers' telemetry may have come, likeliest first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from models.owners import Owner, owner_by_controller, owner_by_labels, owner_of
from models.workload import WorkloadName
from recommender.admission.facts import Facts
from recommender.admission.wire import Metadata, OwnerReference

_TAIL = "xxxxx"
"""Stands for the five random letters that the API server will put behind `generateName`; the rules know it for such."""
_PLAIN = re.compile(r"(?:[\w.~@+:-]*/){4}[\w.~@+:-]*", re.ASCII)
"""Four slashes between what an id never escapes."""
_JOB_SET = "jobset.sigs.k8s.io/jobset-name"


def owners_of(metadata: Metadata, namespace: str, facts: Facts) -> Iterator[Owner]:
    """Each source of telemetry names an owner by what it sees: the host source by the pod's labels or name, an import by
    the controller and that one's own controller. The webhook sees all of it, so it tries all of them."""
    tried: set[Owner] = set()
    for owner in _found(metadata, namespace, facts):
        if owner is not None and owner.name and owner not in tried:
            tried.add(owner)
            yield owner


def workload_id(cluster: str, namespace: str, owner: Owner, container: str) -> str:
    """As `models.workload` writes it; at once where nothing is to be escaped, as Kubernetes' names need none."""
    plain = f"{cluster}/{namespace}/{owner.kind}/{owner.name}/{container}"
    if _PLAIN.fullmatch(plain):
        return plain
    return str(WorkloadName(cluster, namespace, owner.kind, owner.name, container))


def pod_name(metadata: Metadata) -> str:
    """Its name, or one that it may get."""
    return metadata.name or f"{metadata.generate_name or ''}{_TAIL}"


def _found(metadata: Metadata, namespace: str, facts: Facts) -> Iterator[Owner | None]:
    pod, labels = pod_name(metadata), metadata.labels or {}
    controller = _controller(metadata)
    if controller is not None:
        yield facts.parent(namespace, controller.kind, controller.name)
    yield owner_by_labels(pod, labels)
    kind, name = (controller.kind, controller.name) if controller else ("", "")
    yield owner_by_controller(kind, name, pod)
    yield _by_job_set(labels)
    yield owner_of(pod)


def _controller(metadata: Metadata) -> OwnerReference | None:
    references = metadata.owner_references or ()
    return next((reference for reference in references if reference.controller), None)


def _by_job_set(labels: Mapping[str, str]) -> Owner | None:
    name = labels.get(_JOB_SET)
    return Owner("JobSet", name) if name else None
