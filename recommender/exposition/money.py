"""What an hour of a core costs in each cluster, by the prices of its nodes without GPUs."""

from __future__ import annotations

from collections.abc import Iterable

from models.inventory import Node
from recommender.view_query import CORE_PER_GIB

_GIB = 1 << 30


def core_prices(nodes: Iterable[Node]) -> dict[str, float]:
    """USD per hour of one core by cluster, memory counted by CORE_PER_GIB. A cluster without such a node with a price is
    left out: on a node with GPUs the price is the GPUs'."""
    paid: dict[str, float] = {}
    bought: dict[str, float] = {}
    for node in nodes:
        cores = node.cpu_cores + CORE_PER_GIB * node.memory_bytes / _GIB
        if node.price_usd_per_hour is not None and not node.gpus and cores:
            paid[node.cluster] = paid.get(node.cluster, 0.0) + node.price_usd_per_hour
            bought[node.cluster] = bought.get(node.cluster, 0.0) + cores
    return {cluster: paid[cluster] / bought[cluster] for cluster in paid}
