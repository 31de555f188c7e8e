"""Small clusters for the placement tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from recommender.placement.cluster import Cluster
from recommender.placement.request import Mix, Request

GIB = 2**30


def cluster(*nodes: tuple[int, int, int], model: str = "A100-SXM4-40GB") -> Cluster:
    """(CPU cores, memory GiB, GPUs) per node, all free."""
    gpus = np.array([gpu for _, _, gpu in nodes])
    return Cluster(
        names=[f"n{k}" for k in range(len(nodes))],
        cpu_milli=np.array([1000 * cpu for cpu, _, _ in nodes]),
        memory_bytes=np.array([GIB * memory for _, memory, _ in nodes]),
        gpu_milli=np.where(np.arange(8)[:, None] < gpus, 1000, -1),
        model=[model] * len(nodes),
    )


def share(milli: int, cpu: int = 1) -> Request:
    return Request(1000 * cpu, GIB, 1, milli)


def whole(gpus: int, cpu: int = 1) -> Request:
    return Request(1000 * cpu, GIB, gpus, 1000)


CPU_ONLY = Request(1000, GIB)

requests = st.one_of(
    st.builds(share, st.integers(1, 1000), st.integers(0, 8)),
    st.builds(whole, st.integers(1, 8), st.integers(0, 32)),
    st.builds(Request, st.integers(0, 8000), st.integers(0, 8 * GIB)),
)
clusters = st.lists(st.tuples(st.integers(1, 64), st.integers(1, 64), st.integers(0, 8)), min_size=1, max_size=6).map(
    lambda nodes: cluster(*nodes)
)
MIX = Mix.of([share(810)] * 3 + [share(190)] + [share(470)] * 4 + [whole(1)] * 6 + [whole(8, 32), CPU_ONLY])
