"""Gangs: all members or none, as near to each other as there is room.

Domains are tried from narrow to wide (NVLink domain, rack, zone, the whole cluster). The narrowest level at which some
domain holds every member on GPUs of one model wins; among those, the most suitable model, then the least loss of worth.
How many members a node holds is exact, as they are alike, so that no domain is tried in vain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.placement.cluster import Cluster
from recommender.placement.job import Job, NodeFacts
from recommender.placement.placer import Placed
from recommender.placement.policies import Policy
from recommender.placement.refusal import refusals
from recommender.placement.request import Floats, Ints
from recommender.placement.scorers import Scene, slots_on, suited

LEVELS = ("nvlink", "rack", "zone")
_MOST_DOMAINS = 4
"""Those with least room to spare: a domain with much is better kept for a larger gang, and each try costs 0.06 ms a member."""


@dataclass(frozen=True, slots=True)
class GangPlacement:
    """members: one placement each; empty when the gang does not fit. level: `nvlink`, `rack`, `zone` or `cluster`."""

    members: tuple[Placed, ...]
    level: str
    domain: str
    reason: str

    @classmethod
    def single(cls, node: int, slots: tuple[int, ...], reason: str) -> GangPlacement:
        """One member, which needs nobody near."""
        return cls((Placed(node, slots, 0.0),), "", "", reason)


def place_gang(job: Job, cluster: Cluster, facts: Sequence[NodeFacts], policy: Policy) -> GangPlacement:
    """Take room for every member, or change nothing. `policy` is of this cluster."""
    scene = Scene(cluster, facts, policy, refusals(job, cluster, facts).eligible)
    capacity = np.minimum(cluster.capacity(job.request, scene.nodes), job.members)
    if capacity.sum() < job.members:
        reason = f"room for {capacity.sum()} of {job.members} members; all or none, so none was placed"
        return GangPlacement((), "", "", reason)
    worth = suited(job, scene).scores if job.request.gpus else np.ones(len(scene.nodes))
    for level in (*LEVELS, "cluster"):
        tries = _tries(job, scene, capacity, level)
        if (best := min(tries, key=lambda t: (-_mean(worth, scene, t), _cost(t), t.domain), default=None)) is not None:
            return _taken(job, scene, best)
    said = f"all {job.members} members within the cluster, on GPUs of different models: no one model has room for all"
    return _taken(job, scene, GangPlacement(_fill(job, scene), "cluster", "all", said))


def _tries(job: Job, scene: Scene, capacity: Ints, level: str) -> Iterator[GangPlacement]:
    """One per domain of this level, and GPU model in it, that holds the whole gang, at most _MOST_DOMAINS. Nothing
    stays taken. One model, because a gang runs at the speed of its slowest member."""
    named = ["all" if level == "cluster" else scene.facts[n].domains.get(level, "") for n in scene.nodes]
    models = [scene.facts[n].gpu_model if job.request.gpus else "" for n in scene.nodes]
    groups = sorted(set(zip(named, models, strict=True)))
    number = {group: k for k, group in enumerate(groups)}
    of_node = np.array([number[group] for group in zip(named, models, strict=True)], dtype=np.int64)
    room = np.bincount(of_node, weights=capacity, minlength=len(groups))
    enough = [k for k in np.argsort(room, kind="stable") if room[k] >= job.members and groups[k][0]]
    for k in enough[:_MOST_DOMAINS]:
        domain = groups[k][0]
        what = "the cluster" if level == "cluster" else f"{level} {domain!r}"
        members = _fill(job, replace(scene, nodes=scene.nodes[of_node == k]))
        yield GangPlacement(members, level, domain, f"all {job.members} members within {what}")


def _mean(worth: Floats, scene: Scene, found: GangPlacement) -> float:
    """Mean suitability of the members' nodes, to a hundredth: nearer than that the cost decides."""
    at = np.searchsorted(scene.nodes, [member.node for member in found.members])
    return round(float(worth[at].mean()), 2)


def _fill(job: Job, scene: Scene) -> tuple[Placed, ...]:
    """Where members would go, one after the other; there is room for all. Nothing stays taken."""
    costs = np.full(len(scene.nodes), np.inf)
    _price(job, scene, costs, np.arange(len(costs)))
    placed: list[Placed] = []
    for _ in range(job.members):
        i = int(costs.argmin())
        node = int(scene.nodes[i])
        placed.append(Placed(node, slots_on(job, scene, node), float(costs[i])))
        _take(job, scene, placed[-1])
        _price(job, scene, costs, np.array([i]))
    for member in placed:
        scene.cluster.give_back(member.node, job.request, member.slots)
    for node in {member.node for member in placed}:
        scene.policy.changed(node)
    return tuple(placed)


def _price(job: Job, scene: Scene, costs: Floats, which: Ints) -> None:
    """Costs anew at these places of `scene.nodes`; infinite where there is no room."""
    room = which[scene.cluster.feasible(job.request, scene.nodes[which])]
    costs[which] = np.inf
    if len(room):
        costs[room] = scene.policy.costs(job.request, scene.nodes[room])
        if scene.cluster.tainted.dissuades:
            costs[room] += scene.cluster.unwelcoming(job.request, scene.nodes[room])


def _taken(job: Job, scene: Scene, found: GangPlacement) -> GangPlacement:
    for member in found.members:
        _take(job, scene, member)
    return found


def _take(job: Job, scene: Scene, placed: Placed) -> None:
    scene.cluster.take(placed.node, job.request, placed.slots)
    scene.policy.changed(placed.node)


def _cost(found: GangPlacement) -> float:
    return sum(member.cost for member in found.members)
