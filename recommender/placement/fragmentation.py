"""GPU fragmentation of a node as the expected share of free GPU that the next request cannot use (FGD, ATC 23).

F = sum over kinds t of the mix, weight w_t, of: all free GPU when t does not fit the node (CPU, memory, GPU, model),
else the free shares smaller than t asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.placement.cluster import Cluster
from recommender.placement.request import GPU_MILLI, Bools, Floats, Ints, Mix


@dataclass(frozen=True, slots=True)
class NodeStates:
    """Nodes as they are or would be: free CPU and memory [k], free GPU shares [g, k], index in the cluster [k]."""

    cpu_milli: Ints
    memory_bytes: Ints
    gpu_milli: Ints
    nodes: Ints

    @classmethod
    def now(cls, cluster: Cluster, nodes: Ints) -> NodeStates:
        gpu = np.maximum(cluster.gpu_milli[:, nodes], 0)
        return cls(cluster.cpu_milli[nodes], cluster.memory_bytes[nodes], gpu, nodes)


class Fragmentation:
    """F for many node states at once. Built for one cluster and one mix."""

    def __init__(self, cluster: Cluster, mix: Mix) -> None:
        kinds, weights = mix.with_gpu()
        self._weights = weights
        self._cpu = np.array([kind.cpu_milli for kind in kinds], dtype=np.int64)
        self._memory = np.array([kind.memory_bytes for kind in kinds], dtype=np.int64)
        self._share = np.array([kind.gpu_milli for kind in kinds], dtype=np.int64)
        self._whole = np.array([kind.whole_gpus for kind in kinds], dtype=np.int64)
        sizes, self._size = np.unique(self._share, return_inverse=True)
        free = np.arange(GPU_MILLI + 1)[:, None]
        self._smaller = np.where(free < sizes, free, 0).astype(np.float64)  # [1001, sizes]
        picky = any(kind.gpu_models or kind.labels for kind in kinds)
        self._allowed = np.array([cluster.allowed(kind) for kind in kinds]) if picky else None

    def of(self, states: NodeStates) -> Floats:
        """[k] F in milli-GPU."""
        free = states.gpu_milli.sum(axis=0).astype(np.float64)
        too_small = self._smaller[states.gpu_milli].sum(axis=0)[:, self._size]
        lost = np.where(self._fits(states), too_small, free[:, None])
        return np.asarray(lost @ self._weights)

    def _fits(self, states: NodeStates) -> Bools:
        """[k, kinds]."""
        largest = states.gpu_milli.max(axis=0)[:, None]
        whole = (states.gpu_milli == GPU_MILLI).sum(axis=0)[:, None]
        fits = (states.cpu_milli[:, None] >= self._cpu) & (states.memory_bytes[:, None] >= self._memory)
        fits &= np.where(self._whole > 0, whole >= self._whole, largest >= self._share)
        if self._allowed is not None:
            fits &= self._allowed[:, states.nodes].T
        return np.asarray(fits)
