"""Which nodes cannot take a job, and the first thing that keeps it off each, in the order in which people look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.taints import mend_of, state_of
from recommender.placement.cluster import Cluster
from recommender.placement.job import Job, NodeFacts
from recommender.placement.request import GPU_MILLI, Bools, Ints, Request
from recommender.placement.suitability import unsuited


@dataclass(frozen=True, slots=True)
class Refusals:
    """why [n]: a sentence per node, empty where the job may go."""

    why: NDArray[Any]

    @property
    def eligible(self) -> Ints:
        return np.flatnonzero(self.why == "")

    def by_reason(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Sentence: names of the nodes, the sentence of most nodes first."""
        found: dict[str, list[str]] = {}
        for name, why in zip(names, self.why.tolist(), strict=True):
            if why:
                found.setdefault(why, []).append(name)
        return {why: tuple(found[why]) for why in sorted(found, key=lambda why: (-len(found[why]), why))}


def refusals(job: Job, cluster: Cluster, facts: Sequence[NodeFacts]) -> Refusals:
    """What the node is and whether its taints are tolerated, then free room, then what the job may not do: FP64 where there is
    none, spot where it cannot be interrupted."""
    everyone = np.arange(len(cluster))
    full = list(_lacks(job.request, cluster, ~cluster.feasible(job.request, everyone)))
    lacking = np.select([mask for mask, _ in full], [np.array(text, dtype=object) for _, text in full], default="")
    why = lacking.astype(object)
    for reason in (_unsuited(job, facts), _no_spot(job, facts)):
        why = np.where(why == "", reason, why)
    return Refusals(why)


def _lacks(request: Request, cluster: Cluster, full: Bools) -> Iterator[tuple[Bools, str]]:
    """(nodes, sentence), the first that holds counts; together all nodes of `full`."""
    if request.gpu_models or request.labels:
        yield ~cluster.matching(request), "its GPU model or labels are not those asked for"
    for nodes, taints in cluster.tainted.forbidding(request.tolerations):
        yield nodes, f"it is {state_of(taints)}: {mend_of(taints)}"
    yield cluster.cpu_milli < request.cpu_milli, "too little CPU is free"
    yield cluster.memory_bytes < request.memory_bytes, "too little memory is free"
    yield full, _lacks_gpu(request)


def _lacks_gpu(request: Request) -> str:
    if request.shared:
        return f"no GPU with {request.gpu_milli / GPU_MILLI:g} of it free"
    if request.mig_profile:
        few = f"fewer than {request.gpus} free {request.mig_profile} instances"
        return few if request.gpus > 1 else f"no free {request.mig_profile} instance"
    return f"fewer than {request.gpus} GPUs wholly free" if request.gpus > 1 else "no GPU wholly free"


def _unsuited(job: Job, facts: Sequence[NodeFacts]) -> NDArray[Any]:
    of_model = {f.gpu_model: unsuited(job, f) for f in facts} if job.fp64 else {}
    return np.array([of_model.get(f.gpu_model, "") for f in facts], dtype=object)


def _no_spot(job: Job, facts: Sequence[NodeFacts]) -> NDArray[Any]:
    said = "" if job.checkpointing else "it cannot be interrupted, and this is a spot node"
    return np.array([said if f.spot else "" for f in facts], dtype=object)
