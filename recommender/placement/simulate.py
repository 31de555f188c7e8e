"""Replay of arrivals against a policy: how much of the GPUs ends up in use, and who found no room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from recommender.placement.cluster import Cluster
from recommender.placement.fragmentation import Fragmentation
from recommender.placement.placer import Placer
from recommender.placement.policies import BestFitPolicy, FgdPolicy, Policy, PotentialPolicy, RandomPolicy
from recommender.placement.potential import Potential, cluster_gpus
from recommender.placement.request import GPU_MILLI, Mix, Request

POLICIES: Mapping[str, Callable[[Cluster, Mix], Policy]] = {
    "sizewise": lambda cluster, mix: PotentialPolicy(cluster, Potential(mix, cluster_gpus(cluster))),
    "fgd": lambda cluster, mix: FgdPolicy(cluster, Fragmentation(cluster, mix)),
    "best-fit": lambda cluster, mix: BestFitPolicy(cluster),
    "random": lambda cluster, mix: RandomPolicy(cluster, seed=0),
}
"""Name: how to make the policy for a cluster and the mix of requests that it is expected to see."""


@dataclass(frozen=True, slots=True)
class Failure:
    """load_ratio: GPU asked for by all that came and did not leave, this request included, over GPU capacity."""

    request: Request
    load_ratio: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """allocated_ratio: GPU in use at the end over capacity; where requests leave, in the mean over time. asked_ratio: what was
    asked for by those that would be there then, in the mean; None where nobody leaves."""

    allocated_ratio: float
    decisions: int
    failures: tuple[Failure, ...]
    asked_ratio: float | None = None

    def failed_by_size(self, up_to_load: float = float("inf")) -> Mapping[str, int]:
        """Failed requests by size: `cpu`, `0.46 GPU`, `8 GPU`; most frequent first."""
        counted = Counter(size_name(f.request) for f in self.failures if f.load_ratio <= up_to_load)
        return dict(counted.most_common())


def size_name(request: Request) -> str:
    if request.mig_profile:
        return f"{request.gpus} x {request.mig_profile}"
    if not request.gpus:
        return "cpu"
    return f"{request.total_gpu_milli / GPU_MILLI:g} GPU"


def replay(arrivals: Iterable[Request], cluster: Cluster, policy: Policy) -> Outcome:
    """Place one after the other, nothing leaves. `cluster` is changed; what fits somewhere is placed."""
    placer = Placer(cluster, policy)
    failures: list[Failure] = []
    asked = placed = decisions = 0
    for decisions, request in enumerate(arrivals, start=1):  # noqa: B007 - how many there were is told at the end
        asked += request.total_gpu_milli
        if placer.place(request) is None:
            failures.append(Failure(request, asked / cluster.capacity_milli))
        else:
            placed += request.total_gpu_milli
    return Outcome(placed / cluster.capacity_milli, decisions, tuple(failures))
