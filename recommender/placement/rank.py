"""Nodes for one job, best first: feasible ones, each with its factors and reasons; and why the others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recommender.placement import scorers
from recommender.placement.cluster import Cluster
from recommender.placement.job import Job, NodeFacts
from recommender.placement.policies import Policy
from recommender.placement.request import Ints, Request
from recommender.placement.scorers import Factor, Scene
from recommender.placement.suitability import unsuited

SCORERS: Mapping[str, Callable[[Job, Scene], Factor]] = {
    "fragmentation": scorers.fragmentation,
    "suitability": scorers.suited,
    "topology": scorers.topology,
    "interference": scorers.interference,
    "cost": scorers.spot,
}


@dataclass(frozen=True, slots=True)
class RankPolicy:
    """weights: factor name to weight; a factor without one is not asked."""

    weights: Mapping[str, float] = field(
        default_factory=lambda: {
            "fragmentation": 1.0,
            "suitability": 1.0,
            "topology": 1.0,
            "interference": 1.0,
            "cost": 0.5,
        }
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """factors: name to (score 0-1, sentence). score: their weighted mean."""

    node: str
    slots: tuple[int, ...]
    score: float
    factors: Mapping[str, tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Ranking:
    """candidates best first. refused: reason to number of nodes."""

    candidates: tuple[Candidate, ...]
    refused: Mapping[str, int]


def rank(
    job: Job,
    cluster: Cluster,
    facts: Sequence[NodeFacts],
    policy: Policy,
    rules: RankPolicy | None = None,
    most: int = 10,
) -> Ranking:
    """The best `most` nodes for one member of the job. Raises KeyError for a weight whose factor does not exist."""
    weights = (rules or RankPolicy()).weights
    nodes, refused = _eligible(job, cluster, facts)
    if not len(nodes):
        return Ranking((), refused)
    scene = Scene(cluster, facts, policy, nodes)
    factors = [(SCORERS[name](job, scene), weight) for name, weight in weights.items() if weight > 0]
    total = sum(weight for _, weight in factors) or 1.0
    scores = sum((weight * factor.scores for factor, weight in factors), np.zeros(len(nodes))) / total
    best = np.argsort(-scores, kind="stable")[:most]
    return Ranking(tuple(_candidate(job, scene, factors, scores[i], int(i)) for i in best), refused)


def _candidate(job: Job, scene: Scene, factors: Sequence[tuple[Factor, float]], score: float, i: int) -> Candidate:
    node = int(scene.nodes[i])
    said = {factor.name: (float(factor.scores[i]), factor.reason(i)) for factor, _ in factors}
    return Candidate(scene.cluster.names[node], tuple(scene.policy.slots(job.request, node)), float(score), said)


def _eligible(job: Job, cluster: Cluster, facts: Sequence[NodeFacts]) -> tuple[Ints, Mapping[str, int]]:
    everyone = np.arange(len(cluster))
    room = cluster.feasible(job.request, everyone)
    why_not = Counter(_lacking(job.request, cluster, int(n)) for n in everyone[~room])
    kept = []
    for n in everyone[room]:
        reason = unsuited(job, facts[n]) or _no_spot(job, facts[n])
        if reason:
            why_not[reason] += 1
        else:
            kept.append(n)
    return np.array(kept, dtype=np.int64), dict(why_not.most_common())


def _no_spot(job: Job, facts: NodeFacts) -> str:
    return "it cannot be interrupted, and this is a spot node" if facts.spot and job.checkpointing is None else ""


def _lacking(request: Request, cluster: Cluster, node: int) -> str:
    """The first thing that keeps the request off a node, in the order in which people look."""
    if not cluster.allowed(request)[node]:
        return "its GPU model or labels are not those asked for"
    if cluster.cpu_milli[node] < request.cpu_milli:
        return "too little CPU is free"
    if cluster.memory_bytes[node] < request.memory_bytes:
        return "too little memory is free"
    if request.mig_profile:
        return f"no free {request.mig_profile} instance"
    if request.shared:
        return f"no GPU with {request.gpu_milli / 1000:g} of it free"
    return f"fewer than {request.gpus} GPUs wholly free"
