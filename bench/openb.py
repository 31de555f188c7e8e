"""The openb cluster (Alibaba, 2023) as FGD uses it: 1,213 GPU nodes with 6,212 GPUs, and traces of pods."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recommender.placement.cluster import Cluster
from recommender.placement.request import Request
from recommender.placement.stays import Stay
from sizewise import trace


def read_cluster(folder: Path) -> Cluster:
    return trace.read_nodes(folder / "openb_node_list_gpu_node.csv.gz")


def read_pods(folder: Path, name: str) -> list[Request]:
    return trace.read_pods(folder / f"openb_pod_list_{name}.csv.gz")


def read_stays(folder: Path, name: str) -> list[Stay]:
    return trace.read_stays(folder / f"openb_pod_list_{name}.csv.gz")


def arrivals(pods: Sequence[Request], capacity_milli: int, seed: int, load: float = 1.3) -> list[Request]:
    """As FGD inflates them: all pods in random order, then pods drawn again, to 130 % of the GPUs."""
    return trace.drawn(pods, capacity_milli, seed, load)
