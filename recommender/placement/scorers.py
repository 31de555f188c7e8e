"""Factors of a placement. Each gives every node a score from 0 to 1 (1 is best) and can say why in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from models.taints import state_of, unwelcome
from recommender.placement.cluster import Cluster
from recommender.placement.job import GpuDemand, Job, NodeFacts
from recommender.placement.policies import Policy
from recommender.placement.request import GPU_MILLI, Bools, Floats, Ints
from recommender.placement.spot import gpu_price, plan_spot
from recommender.placement.suitability import suitability
from recommender.placement.topology import LINK_SCORES, nearest_slots

_DRAM_CEILING = 0.8
"""Practical peak of DRAM activity: two jobs of 0.4 fill it."""
_UNKNOWN = 0.5
"""Score where nothing is known: neither for nor against."""
_LEAST_USD = 1e-9
_Kind = TypeVar("_Kind", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Factor:
    """scores [k] for the k nodes asked about; reason(i) says why node i has its score."""

    name: str
    scores: Floats
    reason: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a scorer looks at: the cluster, facts of every node, the policy for what stays free, the nodes asked about."""

    cluster: Cluster
    facts: Sequence[NodeFacts]
    policy: Policy
    nodes: Ints


def slots_on(job: Job, scene: Scene, node: int) -> tuple[int, ...]:
    """The GPUs of the node that the job takes: a share where the policy says, several where they are nearest."""
    whole = job.request.whole_gpus
    if whole < 2:
        return tuple(scene.policy.slots(job.request, node))
    free = np.flatnonzero(scene.cluster.gpu_milli[:, node] == GPU_MILLI).tolist()
    return nearest_slots(scene.facts[node].links, free, whole)[0]


def fragmentation(job: Job, scene: Scene) -> Factor:
    """Least loss of worth of what stays free."""
    costs = scene.policy.costs(job.request, scene.nodes)
    return Factor(
        "fragmentation",
        _least_is_best(costs),
        lambda i: f"takes {costs[i] - costs.min():.0f} milli-GPU more of what others can use than the best node",
    )


def suited(job: Job, scene: Scene) -> Factor:
    """The GPU model for what limits the job, per dollar."""
    kinds = [(f.gpu_model, f.gpus, f.price_usd_per_hour) for f in (scene.facts[n] for n in scene.nodes)]
    of_kind = {kind: suitability(job, facts) for kind, facts in _examples(kinds, scene).items()}
    found = [of_kind[kind] for kind in kinds]
    worth = np.array([np.nan if value is None else value for value, _ in found])
    best = np.nanmax(worth) if np.isfinite(worth).any() else 1.0
    return Factor("suitability", np.nan_to_num(worth / best, nan=_UNKNOWN), lambda i: found[i][1])


def topology(job: Job, scene: Scene) -> Factor:
    """How near the GPUs of one node are to each other; a job with one GPU does not care."""
    gpus = job.request.whole_gpus
    if gpus < 2:
        return Factor("topology", np.ones(len(scene.nodes)), lambda i: "one GPU: no link needed")
    found = [_links(scene, int(n), gpus) for n in scene.nodes]
    return Factor("topology", np.array([score for score, _ in found]), lambda i: found[i][1])


def interference(job: Job, scene: Scene) -> Factor:
    """Least expected slowdown by those that share the GPU: time on it grows once its compute, its memory bandwidth or its
    host link is asked for more than once over."""
    beside = _may_share(job, scene)
    found = [_shared(job, scene, int(n)) if b else _ALONE for n, b in zip(scene.nodes, beside, strict=True)]
    speeds = np.array([speed for speed, _ in found])
    return Factor("interference", np.nan_to_num(speeds, nan=_UNKNOWN), lambda i: found[i][1])


_ALONE = 1.0, "slows nobody down and is not slowed down"
_NOT_KNOWN = float("nan"), "who shares the GPU, or what this job needs of it, is not known"


def spot(job: Job, scene: Scene) -> Factor:
    """Lowest expected cost, with the work that interruptions lose."""
    kinds = [
        (f.gpu_model, f.price_usd_per_hour, f.gpus, f.spot, f.interruptions_per_hour)
        for f in (scene.facts[n] for n in scene.nodes)
    ]
    of_kind = {kind: _cost(job, facts) for kind, facts in _examples(kinds, scene).items()}
    found = [of_kind[kind] for kind in kinds]
    costs = np.array([cost for cost, _ in found])
    known = np.isfinite(costs)
    scores = np.where(np.isnan(costs), _UNKNOWN, 0.0)
    scores[known] = costs[known].min(initial=np.inf) / np.maximum(costs[known], _LEAST_USD)
    return Factor("cost", np.minimum(scores, 1.0), lambda i: found[i][1])


def taints(job: Job, scene: Scene) -> Factor | None:
    """Fewest taints that bid it go elsewhere if it can, as kube-scheduler scores them (plugin TaintToleration). None: no node
    that it could go to bears any, so that there is nothing to weigh."""
    tainted, tolerations = scene.cluster.tainted, job.request.tolerations
    against = tainted.unwelcome(tolerations)[scene.nodes] if tainted.dissuades else np.zeros(1)
    if not (most := against.max(initial=0)):
        return None

    def reason(i: int) -> str:
        found = unwelcome(tainted.sets[tainted.of_node[scene.nodes[i]]] or (), tolerations)
        return f"it is {state_of(found)}: better elsewhere" if found else "no taint of it bids the job go elsewhere"

    return Factor("taints", 1 - against / most, reason)


def _examples(kinds: Sequence[_Kind], scene: Scene) -> Mapping[_Kind, NodeFacts]:
    """A node of each kind: 1,500 nodes are of some dozen kinds, and to judge each node anew takes 3 ms."""
    return {kind: scene.facts[n] for kind, n in dict(zip(kinds, scene.nodes.tolist(), strict=True)).items()}


def _least_is_best(costs: Floats) -> Floats:
    span = float(costs.max() - costs.min()) if len(costs) else 0.0
    return 1 - (costs - costs.min()) / span if span > 0 else np.ones(len(costs))


def _links(scene: Scene, node: int, gpus: int) -> tuple[float, str]:
    """The weakest link among the GPU slots that would be used."""
    free = np.flatnonzero(scene.cluster.gpu_milli[:, node] == GPU_MILLI).tolist()
    _, weakest = nearest_slots(scene.facts[node].links, free, gpus)
    if weakest is None:
        return _UNKNOWN, "how its GPUs are linked is not known"
    return LINK_SCORES.get(weakest, 0.0), f"its {gpus} GPUs are joined by {weakest} at the weakest"


def _may_share(job: Job, scene: Scene) -> Bools:
    """[k] nodes with room for the job on a GPU that is in use already; elsewhere it has a GPU of its own."""
    free = scene.cluster.gpu_milli[:, scene.nodes]
    room = (free >= job.request.gpu_milli) & (free < GPU_MILLI)
    return np.asarray(room.any(axis=0) & job.request.shared)


def _shared(job: Job, scene: Scene, node: int) -> tuple[float, str]:
    """(speed, sentence): alone when the policy takes a GPU of its own after all; NaN when a demand is not known. Of the host
    link no demand means none that is known: NVML without counters does not tell."""
    slot = scene.policy.slots(job.request, node)[0]
    if scene.cluster.gpu_milli[slot, node] == GPU_MILLI:
        return _ALONE
    mine = GpuDemand(job.compute_demand, job.bandwidth_demand, job.transfer_demand)
    every = [mine, *scene.facts[node].tenants.get(slot, (GpuDemand(),))]
    compute, bandwidth = [d.compute for d in every], [d.bandwidth for d in every]
    if None in compute or None in bandwidth:
        return _NOT_KNOWN
    asked = {
        "compute": sum(filter(None, compute)),
        "memory bandwidth": sum(filter(None, bandwidth)) / _DRAM_CEILING,
        "host link": sum(d.transfer or 0.0 for d in every),
    }
    busiest = max(asked, key=lambda unit: asked[unit])
    if asked[busiest] <= 1:
        return _ALONE
    speed = 1 / asked[busiest]
    return (
        speed,
        f"keeps {speed:.0%} of its speed beside others: {busiest} is asked for {asked[busiest]:.1f} times over",
    )


def _cost(job: Job, facts: NodeFacts) -> tuple[float, str]:
    """(USD of the GPUs' share of the node for the whole run, sentence). NaN: not known; infinite: must not go there."""
    if facts.spot and job.checkpointing is None:
        return float("inf"), "it cannot be interrupted, and this is a spot node"
    price = gpu_price(job, facts)
    if price is None or job.run_time_s is None:
        return float("nan"), "its run time or the node's price is not known"
    if not facts.spot:
        cost = price * job.run_time_s / 3600
        return cost, f"${cost:.2f} on demand"
    if facts.interruptions_per_hour is None or job.checkpointing is None:
        return float("nan"), "how often this spot node is interrupted is not known"
    plan = plan_spot(job.run_time_s, job.checkpointing, facts.interruptions_per_hour, price)
    return plan.cost_usd, (
        f"${plan.cost_usd:.2f} on spot: {plan.stretch_ratio:.0%} of its run time, a checkpoint every {plan.interval_s:.0f} s"
    )
