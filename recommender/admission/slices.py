"""A MIG slice in the place of a whole GPU: which container of a pod may have it, and whether a node can give it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from recommender.admission.advice import SliceAdvice
from recommender.admission.facts import NamespaceFacts
from recommender.admission.resources import all_containers
from recommender.admission.wire import Container, PodSpec
from recommender.mig.dialects import WHOLE_GPU

_VENDOR = "nvidia.com/"


class KeptGpu(StrEnum):
    """Why a container keeps its GPU. The values end a sentence."""

    SEVERAL = "it asks for more than one"
    MIXED = "this pod asks for GPUs in more than one way"
    CLAIMS = "this pod has resource claims"
    PLACED = "this pod says itself which nodes it may run on"
    NO_SLICE = "no node that it may run on has such a slice free"
    QUOTA = "a LimitRange or ResourceQuota of its namespace counts GPUs or slices"


def whole_gpu(container: Container) -> str | None:
    """How many whole GPUs it asks for, as it wrote it; None: none."""
    resources = container.resources
    for quantities in (resources.limits, resources.requests) if resources else ():
        if quantities and WHOLE_GPU in quantities:
            return str(quantities[WHOLE_GPU])
    return None


def kept_gpu(spec: PodSpec, container: Container, advice: SliceAdvice, facts: NamespaceFacts) -> KeptGpu | None:
    """Why it must keep the whole GPU; None: it may have the slice."""
    if whole_gpu(container) != "1":
        return KeptGpu.SEVERAL
    if sum(map(_ways, all_containers(spec))) > 1:
        return KeptGpu.MIXED
    if spec.resource_claims or (container.resources and container.resources.claims):
        return KeptGpu.CLAIMS
    if spec.node_name or (spec.affinity and spec.affinity.node_affinity):
        return KeptGpu.PLACED
    named = {*facts.counted, *facts.container, *facts.pod}
    if WHOLE_GPU in named or advice.resource in named:
        return KeptGpu.QUOTA
    wanted = (spec.node_selector or {}).items()
    return None if any(wanted <= labels.items() for labels in advice.free) else KeptGpu.NO_SLICE


def slice_instead(
    container: Container, advice: SliceAdvice
) -> tuple[Mapping[str, str | None], Mapping[str, str | None]]:
    """Requests and limits of the slice. An extended resource is never overcommitted: both say 1, whichever it had."""
    swap: Mapping[str, str | None] = {advice.resource: "1", WHOLE_GPU: None}
    return swap, swap


def _ways(container: Container) -> int:
    """In how many ways it asks for NVIDIA's devices."""
    resources = container.resources
    if resources is None:
        return 0
    return len(
        {name for part in (resources.limits, resources.requests) for name in part or () if name.startswith(_VENDOR)}
    )
