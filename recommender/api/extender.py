"""kube-scheduler's extender: which nodes cannot run a pod's GPU side at all, and how well it would stand on the others.

Advice on top of what the scheduler knows better: it counts free CPU, memory and GPUs itself and exactly, while inventory
is seconds old. So the filter looks at what a node is, never at what is free there or at its taints, by which the scheduler
has filtered a moment ago, and what is not known always passes. To a node that the pod does not tolerate goes the score 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.hardware.discovery import mig_of
from models.inventory import Gpu, Node
from recommender.api.extender_pod import PodAsks, asks_of, workloads_of
from recommender.api.extender_wire import Call
from recommender.gpu_seen import GpuSeen, gpu_seen
from recommender.placement.inventory import NodeRoom
from recommender.placement.job import Job, NodeFacts
from recommender.placement.rank import score_nodes
from recommender.placement.request import GPU_MILLI, Request
from recommender.placement.suitability import unsuited
from recommender.supply import Supply
from recommender.view import Snapshot
from recommender.view_follow import profile_of

BEST, LEAST, NEUTRAL = 10, 1, 5
"""Scores: of the best node, of the worst that could take the pod, and of one that nothing is known of."""
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Nodes:
    """Candidate nodes: place in the supply by the name that the scheduler has; None: the inventory does not know it."""

    places: Mapping[str, int | None]
    cluster: str

    @classmethod
    def of(cls, supply: Supply, names: Sequence[str], cluster: str | None) -> Nodes:
        """Without a cluster a name counts where one cluster alone has such a node."""
        if cluster is None:
            places = {name: supply.place_of_name.get(name) for name in names}
        else:
            places = {name: supply.place_of.get(f"{cluster}/{name}") for name in names}
        known = next((place for place in places.values() if place is not None), None)
        return cls(places, cluster or ("" if known is None else supply.rooms[known].node.cluster))

    @property
    def known(self) -> Mapping[str, int]:
        return {name: place for name, place in self.places.items() if place is not None}


def filter_nodes(snapshot: Snapshot, supply: Supply, call: Call, cluster: str | None) -> Mapping[str, str]:
    """The nodes that can never run its GPU side, each with why. Raises QueryError for a pod that cannot be read."""
    asks = asks_of(call.pod)
    if not asks.gpus:
        return {}
    nodes = Nodes.of(supply, call.names, cluster)
    seen = seen_of(snapshot, call, nodes.cluster)
    why = {name: _unfit(supply.rooms[place], asks, seen) for name, place in nodes.known.items()}
    return {name: reason for name, reason in why.items() if reason}


def prioritize(snapshot: Snapshot, supply: Supply, call: Call, cluster: str | None) -> list[dict[str, Any]]:
    """A score for every node of the call, from 0 to 10. Raises QueryError for a pod that cannot be read."""
    nodes = Nodes.of(supply, call.names, cluster)
    job = _job(asks_of(call.pod), seen_of(snapshot, call, nodes.cluster))
    scores = {**dict.fromkeys(call.names, NEUTRAL), **_scores(supply, job, nodes)}
    return [{"Host": name, "Score": score} for name, score in scores.items()]


def seen_of(snapshot: Snapshot, call: Call, cluster: str) -> GpuSeen | None:
    """The GPU side of the pod's workload, of the first of its names that is known; unpacking it takes 1-2 ms."""
    for workload in workloads_of(call.pod, cluster):
        row = snapshot.get(workload)
        if row is not None and int(row["gpu_last_seen_ms"]) and (profile := profile_of(row)):
            return gpu_seen(profile)
    return None


def _job(asks: PodAsks, seen: GpuSeen | None) -> Job:
    milli = GPU_MILLI if asks.gpus and not asks.mig_profile else 0
    cpu_milli, tolerations = round(1000 * asks.cpu_cores), asks.tolerations
    request = Request(
        cpu_milli, asks.memory_bytes, asks.gpus, milli, mig_profile=asks.mig_profile, tolerations=tolerations
    )
    if seen is None:
        return Job(request)
    demands = seen.compute_demand, seen.bandwidth_demand
    return Job(request, 1, seen.bottleneck, seen.computes_fp64, *demands)


def _scores(supply: Supply, job: Job, nodes: Nodes) -> Mapping[str, int]:
    """0 where there is no room for it, or a taint that it does not tolerate, as far as inventory tells; the others from 1 to 10
    by their place between the worst and the best, as a scheduler weighs differences and not values."""
    known = nodes.known
    if not known:
        return {}
    names = list(known)
    offer = supply.only(np.fromiter(known.values(), np.int64, len(known)))
    able, found = score_nodes(job, offer.cluster, _any_spot(offer.facts), offer.policy)
    scores = np.zeros(len(names), dtype=np.int64)
    if len(able):
        span = float(found.max() - found.min())
        shares = (found - found.min()) / span if span > 0 else np.ones(len(found))
        scores[able] = np.round(LEAST + (BEST - LEAST) * shares)
    return dict(zip(names, scores.tolist(), strict=True))


def _any_spot(facts: Sequence[NodeFacts]) -> Sequence[NodeFacts]:
    """Whether a pod may run on spot nodes is said by taints and selectors, which the scheduler has looked at already."""
    return [replace(f, spot=False) if f.spot else f for f in facts]


def _unfit(room: NodeRoom, asks: PodAsks, seen: GpuSeen | None) -> str:
    """Why the node's GPUs will never do; empty when they may. Of one that the inventory shows without GPUs it knows too little:
    the scheduler, which has it among its candidates, was told of some by the device plugin."""
    if not room.node.gpus:
        return ""
    if asks.mig_profile:
        return _no_slice(room.node, asks)
    if len(room.node.gpus) < asks.gpus and not any(gpu.mig_enabled for gpu in room.node.gpus):
        return f"it has {len(room.node.gpus)} GPUs, {asks.gpus} are asked for"
    return "" if seen is None else _unfit_for(room, seen)


def _no_slice(node: Node, asks: PodAsks) -> str:
    there = sum(instance.profile == asks.mig_profile for gpu in node.gpus for instance in gpu.mig)
    return "" if there >= asks.gpus else f"it has {there} MIG instances {asks.mig_profile}, {asks.gpus} are asked for"


def _unfit_for(room: NodeRoom, seen: GpuSeen) -> str:
    largest = max((_largest(gpu) for gpu in room.node.gpus), default=0)
    peak = seen.framebuffer_peak_bytes
    if peak is not None and largest and peak > largest:
        return f"its peak of {peak / _GIB:.1f} GiB of device memory is over the {largest / _GIB:.1f} GiB of a GPU there"
    job = Job(Request(0, 0), fp64=seen.computes_fp64)
    return unsuited(job, room.facts) if seen.computes_fp64 else ""


def _largest(gpu: Gpu) -> float:
    """Device memory that one process can have there."""
    if not gpu.mig_enabled:
        return gpu.memory_bytes
    return max(_slices(gpu), default=0)


def _slices(gpu: Gpu) -> Iterator[float]:
    mig = mig_of(gpu.model, gpu.pci_device_id, gpu.mig_profiles)
    sizes = {profile.name: profile.memory_bytes or 0 for profile in mig.profiles} if mig else {}
    yield from (sizes.get(instance.profile, 0) for instance in gpu.mig)
