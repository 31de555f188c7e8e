"""A strategic merge patch of the object that owns the pods, for `kubectl patch --type strategic`.

Strategic merge and not JSON Patch, because it needs no look at the object: containers are found by their name and not by
their place, a map that is missing is made, and null takes a key away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.pod_template import POD_TEMPLATE_OF
from models.quantity import cpu_text, memory_text
from models.workload import WorkloadName
from recommender.decision import Decision, GpuChoice
from recommender.mig.dialects import kubernetes_resource
from recommender.render.errors import NotRenderableError

MEDIA_TYPE = "application/strategic-merge-patch+json"
ANNOTATION = "sizewise.dev/recommendation"
_USUAL = POD_TEMPLATE_OF["Deployment"]
"""For kinds that others define: most have their template there."""
Patch = dict[str, Any]


def kubernetes_patch(decision: Decision) -> Patch:
    """The patch of one container. Raises NotRenderableError when the container's name is not known, or when nothing is
    to be set."""
    name = _name_of(decision)
    resources = _resources(decision)
    if not any(resources.values()):
        raise NotRenderableError("nothing is known and nothing is asked for, so there is nothing to set")
    patch: Patch = {"containers": [{"name": name.container, "resources": resources}]}
    for key in reversed((*POD_TEMPLATE_OF.get(name.kind, _USUAL), "spec")):
        patch = {key: patch}
    if decision.id:
        patch["metadata"] = {"annotations": {ANNOTATION: decision.id}}
    return patch


def _name_of(decision: Decision) -> WorkloadName:
    try:
        name = WorkloadName.parse(decision.workload)
    except ValueError:
        name = WorkloadName("", "", "", "")
    if not name.container:
        raise NotRenderableError(
            f"workload {decision.workload!r} names no container: give `workload`, or `kind`, `name` and `container`"
        )
    return name


def _resources(decision: Decision) -> dict[str, dict[str, str | None]]:
    requests: dict[str, str | None] = {}
    limits: dict[str, str | None] = {}
    texts: tuple[tuple[str, Any, Callable[[float], str]], ...] = (
        ("cpu", decision.cpu, cpu_text),
        ("memory", decision.memory, memory_text),
    )
    for resource, size, text in texts:
        if size.request is not None:
            requests[resource] = text(size.request)
        if size.limit is not None:
            limits[resource] = text(size.limit)
    if decision.gpu is not None:
        swap = _gpu(decision.gpu)
        requests |= swap
        limits |= swap
    return {"requests": requests, "limits": limits}


def _gpu(gpu: GpuChoice) -> dict[str, str | None]:
    """An extended resource is requested as much as it is limited; the one that was asked for before goes."""
    before = kubernetes_resource(gpu.asked.mig_profile)
    return {**dict.fromkeys(before), **kubernetes_resource(gpu.take.mig_profile, gpu.take.count)}
