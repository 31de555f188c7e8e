"""Nodes for one job, best first, each with its factors and reasons; and the others by what keeps the job off them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recommender.placement import scorers
from recommender.placement.cluster import Cluster
from recommender.placement.job import Job, NodeFacts
from recommender.placement.policies import Policy
from recommender.placement.refusal import refusals
from recommender.placement.request import Floats, Ints
from recommender.placement.scorers import Factor, Scene, slots_on

SCORERS: Mapping[str, Callable[[Job, Scene], Factor | None]] = {
    "fragmentation": scorers.fragmentation,
    "suitability": scorers.suited,
    "topology": scorers.topology,
    "interference": scorers.interference,
    "cost": scorers.spot,
    "taints": scorers.taints,
}
"""A factor that has nothing to tell nodes apart by may be None, and is left out of the mean."""


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
            "taints": 3.0,  # kube-scheduler's weight of its plugin, whose others mostly have 1
        }
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """at: place of the node in the cluster. factors: name to (score 0-1, sentence). score: their weighted mean."""

    node: str
    at: int
    slots: tuple[int, ...]
    score: float
    factors: Mapping[str, tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Ranking:
    """candidates best first. eligible [k]: places of all nodes that it could go to. refused: reason to the nodes that
    it keeps out."""

    candidates: tuple[Candidate, ...]
    refused: Mapping[str, tuple[str, ...]]
    eligible: Ints


def rank(
    job: Job,
    cluster: Cluster,
    facts: Sequence[NodeFacts],
    policy: Policy,
    rules: RankPolicy | None = None,
    most: int = 10,
) -> Ranking:
    """The best `most` nodes for one member of the job. Raises KeyError for a weight whose factor does not exist."""
    why_not = refusals(job, cluster, facts)
    refused, nodes = why_not.by_reason(cluster.names), why_not.eligible
    if not len(nodes):
        return Ranking((), refused, nodes)
    scene = Scene(cluster, facts, policy, nodes)
    factors = _factors(job, scene, rules)
    scores = _weighed(factors, nodes)
    best = np.argsort(-scores, kind="stable")[:most]
    return Ranking(tuple(_candidate(job, scene, factors, scores[i], int(i)) for i in best), refused, nodes)


def score_nodes(
    job: Job, cluster: Cluster, facts: Sequence[NodeFacts], policy: Policy, rules: RankPolicy | None = None
) -> tuple[Ints, Floats]:
    """(places [k] of the nodes that one member could go to, score [k] of each from 0 to 1): `rank` without its reasons."""
    nodes = refusals(job, cluster, facts).eligible
    if not len(nodes):
        return nodes, np.empty(0)
    return nodes, _weighed(_factors(job, Scene(cluster, facts, policy, nodes), rules), nodes)


def _factors(job: Job, scene: Scene, rules: RankPolicy | None) -> Sequence[tuple[Factor, float]]:
    weights = (rules or RankPolicy()).weights
    asked = ((SCORERS[name](job, scene), weight) for name, weight in weights.items() if weight > 0)
    return [(factor, weight) for factor, weight in asked if factor is not None]


def _weighed(factors: Sequence[tuple[Factor, float]], nodes: Ints) -> Floats:
    """Weighted mean; 1 where nothing that was asked for tells nodes apart."""
    if not factors:
        return np.ones(len(nodes))
    total = sum(weight for _, weight in factors)
    weighed = [weight * factor.scores for factor, weight in factors]
    mean: Floats = np.sum(weighed, axis=0) / total
    return mean


def _candidate(job: Job, scene: Scene, factors: Sequence[tuple[Factor, float]], score: float, i: int) -> Candidate:
    node = int(scene.nodes[i])
    said = {factor.name: (float(factor.scores[i]), factor.reason(i)) for factor, _ in factors}
    return Candidate(scene.cluster.names[node], node, slots_on(job, scene, node), float(score), said)
