"""Gangs: all members or none, as near to each other as there is room.

Domains are tried from narrow to wide (NVLink domain, rack, zone, the whole cluster). The narrowest level at which some
domain holds every member wins; among its domains, the one that loses least worth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.placement.cluster import Cluster
from recommender.placement.job import Job, NodeFacts
from recommender.placement.placer import Placed
from recommender.placement.policies import Policy
from recommender.placement.request import Ints
from recommender.placement.suitability import unsuited

LEVELS = ("nvlink", "rack", "zone")


@dataclass(frozen=True, slots=True)
class GangPlacement:
    """members: one placement each; empty when the gang does not fit. level: `nvlink`, `rack`, `zone` or `cluster`."""

    members: tuple[Placed, ...]
    level: str
    domain: str
    reason: str


def place_gang(job: Job, cluster: Cluster, facts: Sequence[NodeFacts], policy: Policy) -> GangPlacement:
    """Take room for every member, or change nothing. `policy` is of this cluster."""
    nodes = np.array([n for n in range(len(cluster)) if not _barred(job, facts[n])], dtype=np.int64)
    for level in (*LEVELS, "cluster"):
        best = min(_tries(job, cluster, facts, policy, nodes, level), key=lambda t: (_cost(t), t.domain), default=None)
        if best is not None:
            for placed in best.members:
                _take(job, cluster, policy, placed)
            return best
    most = len(_fill(job, cluster, policy, nodes))
    return GangPlacement((), "", "", f"room for {most} of {job.members} members; all or none, so none was placed")


def _tries(
    job: Job, cluster: Cluster, facts: Sequence[NodeFacts], policy: Policy, nodes: Ints, level: str
) -> Iterator[GangPlacement]:
    """One per domain of this level that holds the whole gang. Nothing stays taken."""
    named = np.array([facts[n].domains.get(level, "") if level != "cluster" else "all" for n in nodes], dtype=object)
    for domain in sorted(set(named) - {""}):
        members = _fill(job, cluster, policy, nodes[named == domain])
        if len(members) == job.members:
            what = "the cluster" if level == "cluster" else f"{level} {domain!r}"
            yield GangPlacement(tuple(members), level, domain, f"all {job.members} members within {what}")


def _fill(job: Job, cluster: Cluster, policy: Policy, nodes: Ints) -> list[Placed]:
    """Where members would go, one after the other, until all stand or none fits any more. Nothing stays taken."""
    placed: list[Placed] = []
    while len(placed) < job.members:
        room = nodes[cluster.feasible(job.request, nodes)] if len(nodes) else nodes
        if not len(room):
            break
        costs = policy.costs(job.request, room)
        node = int(room[int(costs.argmin())])
        member = Placed(node, tuple(policy.slots(job.request, node)), float(costs.min()))
        _take(job, cluster, policy, member)
        placed.append(member)
    for member in reversed(placed):
        cluster.give_back(member.node, job.request, member.slots)
        policy.changed(member.node)
    return placed


def _take(job: Job, cluster: Cluster, policy: Policy, placed: Placed) -> None:
    cluster.take(placed.node, job.request, placed.slots)
    policy.changed(placed.node)


def _cost(found: GangPlacement) -> float:
    return sum(member.cost for member in found.members)


def _barred(job: Job, facts: NodeFacts) -> bool:
    return bool(unsuited(job, facts)) or (facts.spot and job.checkpointing is None)
