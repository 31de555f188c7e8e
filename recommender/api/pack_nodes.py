"""The nodes that a question to POST /v1/pack is about, and those of them that taints keep it off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.inventory import Node
from models.taints import Toleration, forbidding, mend_of, state_of
from recommender.api.pack_body import PackRequest
from recommender.api.place_body import tolerations_of
from recommender.api.place_taints import taint_notes
from recommender.mig.present import Left
from recommender.placement.tainted import Tainted
from recommender.view import Snapshot


@dataclass(frozen=True, slots=True)
class PackNodes:
    """nodes: those whose taints are borne, by `cluster/node`. barred: GPUs of the others, where nobody is put and nobody
    moved."""

    nodes: Mapping[str, Node]
    barred: Sequence[Left] = ()
    notes: Sequence[str] = ()


def pack_nodes(snapshot: Snapshot, asked: PackRequest) -> PackNodes:
    """GPUs that the question describes itself stand on no node: then taints are not looked at."""
    chosen = _chosen(snapshot, asked)
    if asked.gpus is not None:
        return PackNodes(chosen)
    tolerations = tolerations_of(asked.tolerations)
    against = {key: forbidding(node.taints or (), tolerations) for key, node in chosen.items()}
    barred = [
        Left(gpu.uuid, key, f"its node is {state_of(taints)}: {mend_of(taints)}")
        for key, taints in against.items()
        if taints
        for gpu in chosen[key].gpus
    ]
    free = {key: node for key, node in chosen.items() if not against[key]}
    return PackNodes(free, barred, list(_notes(chosen, tolerations)))


def _chosen(snapshot: Snapshot, asked: PackRequest) -> Mapping[str, Node]:
    wanted = None if asked.nodes is None else set(asked.nodes)
    return {
        key: node
        for key, node in snapshot.nodes.items()
        if (wanted is None or key in wanted) and asked.cluster in (None, node.cluster)
    }


def _notes(nodes: Mapping[str, Node], tolerations: Sequence[Toleration]) -> Iterator[str]:
    """Of those that have GPUs."""
    tainted = Tainted.of([node.taints for node in nodes.values() if node.gpus])
    return taint_notes(tainted, tolerations, np.ones(len(tainted.of_node), dtype=bool))
