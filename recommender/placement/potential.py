"""What a node's free resources are worth for the requests to come, in milli-GPU; placing costs what it takes away.

worth = sum over GPUs of v(free share)                     shares that nobody will buy are worth little
      - a * t * ln(1 + e^((free GPU - CPU / k) / t))       free GPU beyond what the free CPU can feed is stranded
      + b * sum over multi-GPU kinds of u_k [k still fits]  nodes with room for a gang are not used up by others

v(r) = value of r by bid prices - 0.1 * r * P(a request is larger than r). k is the mean CPU per requested GPU; u_k is
proportional to w_k * GPUs^2, since room for more GPUs is both larger and harder to come by.
Everything is a table or a closed form, so a decision over 1,200 nodes takes 0.05 ms in numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.placement.cluster import Cluster
from recommender.placement.prices import share_values
from recommender.placement.request import GPU_MILLI, Floats, Ints, Mix, Request


@dataclass(frozen=True, slots=True)
class PotentialSettings:
    """Chosen on arrival seeds 1 to 4 of the openb default trace; half or twice of each moves the result by 0.05 points."""

    fragment_weight: float = 0.1
    """Of r * P(larger): breaks ties between sizes of equal price. 1.0 costs 0.2 points."""
    stranded_weight: float = 0.8
    stranded_scale_milli: float = 44.0
    """Width of the step from fed to stranded: about the smallest common share."""
    gang_milli: float = 200.0
    """Worth of a node that fits every multi-GPU kind. 0 fails half as many 8-GPU pods again, 500 costs 0.2 points."""


class Potential:
    """Worth of nodes under one mix."""

    def __init__(self, mix: Mix, gpus: int, settings: PotentialSettings | None = None) -> None:
        chosen = settings or PotentialSettings()
        kinds, weights = mix.with_gpu()
        self._chosen = chosen
        self.share_worth = share_values(mix, gpus) - chosen.fragment_weight * _too_small(kinds, weights)
        asked = float(sum(w * k.total_gpu_milli for k, w in zip(kinds, weights, strict=True)))
        cpu = float(sum(w * k.cpu_milli for k, w in zip(kinds, weights, strict=True)))
        self._cpu_per_gpu = max(cpu / asked, 1e-9) if asked > 0 else np.inf
        gangs = [(k, w) for k, w in zip(kinds, weights, strict=True) if k.gpus > 1]
        self._gang_cpu = np.array([k.cpu_milli for k, _ in gangs], dtype=np.int64)
        self._gang_memory = np.array([k.memory_bytes for k, _ in gangs], dtype=np.int64)
        self._gang_gpus = np.array([k.gpus for k, _ in gangs], dtype=np.int64)
        often = np.array([w * k.gpus**2 for k, w in gangs])
        self._gang_worth = chosen.gang_milli * often / often.sum() if len(gangs) else often

    def node_worth(self, cpu_milli: Ints, memory_bytes: Ints, gpu_total: Ints, gpu_whole: Ints) -> Floats:
        """[k] worth of nodes, but for the shares on their GPUs."""
        scale = self._chosen.stranded_scale_milli
        beyond = (gpu_total - cpu_milli / self._cpu_per_gpu) / scale
        stranded = self._chosen.stranded_weight * scale * np.logaddexp(0.0, beyond)
        if not len(self._gang_worth):
            return np.asarray(-stranded)
        fits = (cpu_milli[:, None] >= self._gang_cpu) & (memory_bytes[:, None] >= self._gang_memory)
        fits &= gpu_whole[:, None] >= self._gang_gpus
        return np.asarray(fits @ self._gang_worth - stranded)

    def share_cost(self, gpu_milli: int) -> Floats:
        """[1001] what taking a share costs on a GPU with r milli free; infinite where it does not fit."""
        cost = np.full(GPU_MILLI + 1, np.inf)
        cost[gpu_milli:] = self.share_worth[gpu_milli:] - self.share_worth[: GPU_MILLI + 1 - gpu_milli]
        return cost


def _too_small(kinds: tuple[Request, ...], weights: Floats) -> Floats:
    """[1001] r * P(a request is for more than r milli of a GPU)."""
    free = np.arange(GPU_MILLI + 1, dtype=np.float64)
    sizes = np.array([kind.gpu_milli for kind in kinds])
    return free * ((free[:, None] < sizes) @ weights) if len(kinds) else np.zeros(GPU_MILLI + 1)


def cluster_gpus(cluster: Cluster) -> int:
    """GPUs that are in the cluster, whoever holds them."""
    return int((cluster.gpu_milli >= 0).sum())
