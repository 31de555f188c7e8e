"""What an answer says of taints: how many nodes they keep it off and what would open those, and where nobody tells of any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from models.taints import EVERY, Taint, Toleration, mend_of, state_of
from recommender.placement.cluster import Cluster
from recommender.placement.request import Bools, Request
from recommender.placement.tainted import Tainted


def notes_for(request: Request, cluster: Cluster) -> Iterator[str]:
    """Left out are nodes that have what is asked for, and room for it, but for their taints."""
    else_fit = np.ones(len(cluster), dtype=bool)
    if cluster.tainted.forbids:
        else_fit = cluster.feasible(replace(request, tolerations=(EVERY,)), np.arange(len(cluster)))
    return taint_notes(cluster.tainted, request.tolerations, else_fit)


def taint_notes(tainted: Tainted, tolerations: Sequence[Toleration], among: Bools) -> Iterator[str]:
    """among [n]: nodes of which one is said to be left out."""
    counted = ((int((nodes & among).sum()), taints) for nodes, taints in tainted.forbidding(tolerations))
    if left_out := [(count, taints) for count, taints in counted if count]:
        yield _left_out(left_out)
    if unknown := tainted.unknown:
        yield _unknown(unknown)


def _unknown(nodes: int) -> str:
    return (
        f"of {nodes} nodes no source tells whether they are tainted or cordoned, so they may be: in Kubernetes the collector"
        " asks the API server (collector.kubernetes.url), an import needs kube_node_spec_taint of kube-state-metrics, and"
        " elsewhere collector.facts.taints says it"
    )


def _left_out(sets: Sequence[tuple[int, Sequence[Taint]]]) -> str:
    """`12 nodes left out: 3 cordoned, 9 tainted nvidia.com/gpu=present:NoSchedule; add a toleration to use them`"""
    most_first = sorted(sets, key=lambda one: -one[0])
    said = ", ".join(f"{count} {state_of(taints)}" for count, taints in most_first)
    mend = mend_of((taint for count, taints in most_first for taint in taints), "them")
    return f"{sum(count for count, _ in most_first)} nodes left out: {said}; {mend}"
