"""What an answer says of taints: how many nodes they keep it off and what would open those, and where nobody tells of any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models.taints import Taint, Toleration, mend_of, state_of
from recommender.placement.tainted import Tainted


def taint_notes(tainted: Tainted, tolerations: Sequence[Toleration]) -> Iterator[str]:
    counted = ((int(nodes.sum()), taints) for nodes, taints in tainted.forbidding(tolerations))
    if left_out := [(count, taints) for count, taints in counted if count]:
        yield _left_out(left_out)
    if unknown := tainted.unknown:
        yield unknown_taints(unknown)


def unknown_taints(nodes: int) -> str:
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
