"""What is asked for: one pod's or task's resources, and the mix of such requests that a cluster is expected to see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.taints import Toleration

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GPU_MILLI = 1000
"""One GPU, in thousandths: the unit in which shares of a GPU are counted, as CPU is in milli-cores."""


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """gpus GPUs on one node, each with gpu_milli of it (1000: the whole GPU; less only with gpus = 1).

    gpu_models: allowed models, empty: any. labels: (key, value) pairs that the node must bear.
    mig_profile: name of MIG slices to take, `gpus` of them, instead of GPU shares; empty: none.
    tolerations: taints of nodes that it bears.
    """

    cpu_milli: int
    memory_bytes: int
    gpus: int = 0
    gpu_milli: int = 0
    gpu_models: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    mig_profile: str = ""
    tolerations: tuple[Toleration, ...] = ()

    def __post_init__(self) -> None:
        if self.gpus and not self.mig_profile and not 0 < self.gpu_milli <= GPU_MILLI:
            raise ValueError(f"gpu_milli is {self.gpu_milli}; with gpus = {self.gpus} it must be 1 to {GPU_MILLI}")
        if self.gpus > 1 and not self.mig_profile and self.gpu_milli != GPU_MILLI:
            raise ValueError(f"gpus is {self.gpus} with gpu_milli {self.gpu_milli}; a share is of one GPU: use 1000")

    @property
    def shared(self) -> bool:
        """Whether it takes part of one GPU."""
        return self.gpus == 1 and self.gpu_milli < GPU_MILLI and not self.mig_profile

    @property
    def whole_gpus(self) -> int:
        return 0 if self.shared or self.mig_profile else self.gpus

    @property
    def total_gpu_milli(self) -> int:
        return 0 if self.mig_profile else self.gpus * self.gpu_milli


@dataclass(frozen=True, slots=True)
class Mix:
    """Kinds of requests and how often each comes (weights sum to 1): what placement keeps room for."""

    requests: tuple[Request, ...]
    weights: Floats

    @classmethod
    def of(cls, requests: Iterable[Request]) -> Mix:
        """Counted from requests seen."""
        counts = Counter(requests)
        kinds = tuple(sorted(counts))
        weights = np.array([counts[kind] for kind in kinds], dtype=np.float64)
        return cls(kinds, weights / max(weights.sum(), 1.0))

    def with_gpu(self) -> tuple[tuple[Request, ...], Floats]:
        """The kinds that take GPU, with their weights (not scaled anew)."""
        keep = [k for k, kind in enumerate(self.requests) if kind.total_gpu_milli > 0]
        return tuple(self.requests[k] for k in keep), self.weights[keep]
