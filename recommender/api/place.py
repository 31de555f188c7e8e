"""POST /v1/place: nodes and GPUs for one job or a gang, from the inventory of one snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil, isfinite
from typing import Any

import numpy as np

from models.inventory import ALLOCATIONS, GPU_HOLDERS, NODE_REPEAT_MS
from recommender.api.place_body import PlaceRequest, tolerations_of
from recommender.api.place_taints import notes_for
from recommender.api.place_tenants import with_tenants
from recommender.api.render import Body, time_text
from recommender.gpu_seen import GpuSeen, gpu_seen
from recommender.placement.gang import GangPlacement, place_gang
from recommender.placement.inventory import NodeRoom
from recommender.placement.job import Bottleneck, Checkpointing, Job, NodeFacts
from recommender.placement.rank import Candidate, Ranking, RankPolicy, rank
from recommender.placement.request import GPU_MILLI, Ints, Request
from recommender.placement.spot import SpotAdvice, advise_spot
from recommender.supply import Offer, Supply
from recommender.view import Snapshot
from recommender.view_follow import profile_of
from recommender.view_query import QueryError

_SILENT_MS = 3 * NODE_REPEAT_MS
_NAMED = 3
_NOT_IN_INVENTORY = "the inventory does not know this node"


def place(snapshot: Snapshot, supply: Supply, asked: PlaceRequest) -> Body:
    """The body of a PlaceAnswer. Raises QueryError for a wish that contradicts itself."""
    return place_seen(snapshot, supply, asked, _seen(snapshot, asked))


def place_seen(snapshot: Snapshot, supply: Supply, asked: PlaceRequest, seen: GpuSeen | None) -> Body:
    """The same for a workload whose GPU side is known already, whatever `asked.workload` says."""
    job = job_of(asked, seen)
    rules = RankPolicy(asked.weights) if asked.weights is not None else RankPolicy()
    nodes, unknown = _candidates(supply, asked)
    offer = with_tenants(_at_rate(supply.only(nodes), asked), snapshot, job)
    ranking = rank(job, offer.cluster, offer.facts, offer.policy, rules, asked.limit)
    spot = advise_spot(job, [offer.facts[n] for n in ranking.eligible])
    found = _placement(job, offer, ranking)
    in_use = sum(room.gpus_in_use for room in offer.rooms)
    return {
        "placed": bool(found.members),
        "reason": found.reason,
        "level": found.level or None,
        "domain": found.domain or None,
        "placement": list(_members(job, offer, found)),
        "candidates": [_candidate(c, offer, job, rules) for c in ranking.candidates],
        "eligible_nodes": len(ranking.eligible),
        "refused": list(_refused(ranking, unknown)),
        "spot": _spot(spot),
        "basis": {
            "as_of": time_text(snapshot.newest_ms),
            "nodes": len(offer.rooms),
            "nodes_with_unknown_taints": offer.cluster.tainted.unknown,
            "gpus_in_use": in_use,
            "request_kinds": len(supply.mix.requests),
        },
        "notes": list(_notes(offer, job, snapshot.newest_ms)),
    }


def job_of(asked: PlaceRequest, seen: GpuSeen | None = None) -> Job:
    """What was asked; where that says nothing, what the profile says. Raises QueryError when wishes contradict each other
    or nothing is asked for."""
    if not (asked.cpu_cores or asked.memory_bytes or asked.gpus):
        raise QueryError("cpu_cores", asked.cpu_cores, "ask for CPU, memory or GPUs: this asks for nothing")
    check_wish(asked)
    milli = 0 if asked.mig_profile or not asked.gpus else max(ceil(GPU_MILLI * asked.gpu_share_ratio), 1)
    request = Request(
        ceil(1000 * asked.cpu_cores),
        asked.memory_bytes,
        asked.gpus,
        milli,
        tuple(asked.gpu_models),
        tuple(sorted(asked.labels.items())),
        asked.mig_profile or "",
        tolerations_of(asked.tolerations),
    )
    compute, bandwidth = asked.compute_demand_ratio, asked.bandwidth_demand_ratio
    return Job(
        request,
        asked.members,
        _limit(asked, seen),
        bool(seen and seen.computes_fp64) if asked.computes_fp64 is None else asked.computes_fp64,
        seen.compute_demand if seen and compute is None else compute,
        seen.bandwidth_demand if seen and bandwidth is None else bandwidth,
        seen.transfer_demand if seen else None,
        asked.run_time_s,
        Checkpointing(asked.spot.checkpoint_cost_s, asked.spot.restart_s) if asked.spot else None,
    )


def _limit(asked: PlaceRequest, seen: GpuSeen | None) -> Bottleneck:
    if asked.bottleneck is None:
        return seen.bottleneck if seen else "unknown"
    return "memory" if asked.bottleneck == "memory-bandwidth" else asked.bottleneck


def _seen(snapshot: Snapshot, asked: PlaceRequest) -> GpuSeen | None:
    """The GPU side of the workload that was named; unpacking its profile takes 1-2 ms."""
    if asked.workload is None:
        return None
    row = snapshot.get(asked.workload)
    if row is None:
        raise QueryError(
            "workload", asked.workload, "no such workload; /v1/workloads?name=PART finds it, null leaves it out"
        )
    profile = profile_of(row) if int(row["gpu_last_seen_ms"]) else None
    return gpu_seen(profile) if profile else None


def check_wish(asked: PlaceRequest) -> None:
    """Raises QueryError for wishes that contradict each other."""
    if asked.gpu_share_ratio < 1 and (asked.gpus != 1 or asked.mig_profile):
        raise QueryError(
            "gpu_share_ratio", asked.gpu_share_ratio, "a share is of one whole GPU: gpus = 1, no mig_profile"
        )
    if asked.mig_profile is not None and not (asked.mig_profile and asked.gpus):
        raise QueryError(
            "gpus", asked.gpus, f"say how many slices of mig_profile {asked.mig_profile!r} it takes, at least 1"
        )
    if asked.weights is not None and not any(asked.weights.values()):
        raise QueryError("weights", dict(asked.weights), "give at least one factor a weight above 0")


def _candidates(supply: Supply, asked: PlaceRequest) -> tuple[Ints, list[str]]:
    """Places of the candidate nodes in the supply, and the names that it does not know."""
    if asked.nodes is None:
        mine = [n for n, room in enumerate(supply.rooms) if asked.cluster in (None, room.node.cluster)]
        return np.array(mine, dtype=np.int64), []
    where = {name: _place_of(supply, name, asked.cluster) for name in asked.nodes}
    known = sorted({place for place in where.values() if place is not None})
    return np.array(known, dtype=np.int64), [name for name, place in where.items() if place is None]


def _place_of(supply: Supply, name: str, cluster: str | None) -> int | None:
    """By `cluster/node`; with a cluster by the plain name as well, and never of another cluster."""
    if cluster is None or name.startswith(f"{cluster}/"):
        return supply.place_of.get(name)
    return supply.place_of.get(f"{cluster}/{name}")


def _at_rate(offer: Offer, asked: PlaceRequest) -> Offer:
    """The offer with the interruption rate that was asked with, on its spot nodes."""
    rate = asked.spot.interruptions_per_hour if asked.spot else None
    if rate is None:
        return offer
    facts: list[NodeFacts] = [replace(f, interruptions_per_hour=rate) if f.spot else f for f in offer.facts]
    return replace(offer, facts=facts)


def _placement(job: Job, offer: Offer, ranking: Ranking) -> GangPlacement:
    if job.members > 1:
        return place_gang(job, offer.cluster, offer.facts, offer.policy)
    if not ranking.candidates:
        return GangPlacement((), "", "", "no node has room for it; `refused` says what each one lacks")
    best = ranking.candidates[0]
    node = offer.cluster.names.index(best.node)
    return GangPlacement.single(
        node, best.slots, f"{best.node} has the best score of {len(ranking.eligible)} nodes with room"
    )


def _members(job: Job, offer: Offer, found: GangPlacement) -> Iterator[Body]:
    """Members on one node get different MIG instances there."""
    before: Counter[int] = Counter()
    for member in found.members:
        room, request = offer.rooms[member.node], job.request
        yield {"node": room.name, "gpus": _gpus(room, member.slots, request, before[member.node])}
        before[member.node] += request.gpus


def _gpus(room: NodeRoom, slots: Sequence[int], request: Request, skip: int = 0) -> list[Body]:
    if request.mig_profile:
        free = room.mig_free[request.mig_profile][skip : skip + request.gpus]
        model_of = {instance.uuid: gpu.model for gpu in room.node.gpus for instance in gpu.mig}
        return [{"uuid": i.uuid, "model": model_of[i.uuid], "mig_profile": i.profile} for i in free]
    gpus = [room.node.gpus[slot] for slot in slots]
    return [{"uuid": gpu.uuid, "model": gpu.model, "mig_profile": None} for gpu in gpus]


def _candidate(found: Candidate, offer: Offer, job: Job, rules: RankPolicy) -> Body:
    room = offer.rooms[found.at]
    factors = [
        {"name": name, "score": round(score, 4), "weight": rules.weights[name], "sentence": sentence}
        for name, (score, sentence) in found.factors.items()
    ]
    gpus = _gpus(room, found.slots, job.request)
    return {"node": found.node, "gpus": gpus, "score": round(found.score, 4), "factors": factors}


def _refused(ranking: Ranking, unknown: Sequence[str]) -> Iterator[Body]:
    why = {**ranking.refused, **({_NOT_IN_INVENTORY: tuple(unknown)} if unknown else {})}
    for reason, nodes in sorted(why.items(), key=lambda item: -len(item[1])):
        yield {"reason": reason, "count": len(nodes), "nodes": list(nodes)}


def _spot(advice: SpotAdvice) -> dict[str, Any]:
    plan = advice.plan
    return {
        "advised": advice.advised,
        "sentence": advice.sentence,
        "checkpoint_interval_s": _finite(plan.interval_s) if plan else None,
        "stretch_ratio": _finite(plan.stretch_ratio) if plan else None,
        "spot_usd": _finite(advice.spot_usd),
        "on_demand_usd": _finite(advice.on_demand_usd),
    }


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _finite(value: float | None) -> float | None:
    return round(value, 4) if value is not None and isfinite(value) else None


def _notes(offer: Offer, job: Job, newest_ms: int) -> Iterator[str]:
    rooms = offer.rooms
    if not rooms:
        yield "the inventory has no candidate node: collectors publish nodes when they start, and the view reads them"
    yield from notes_for(job.request, offer.cluster)
    if silent := [room.name for room in rooms if newest_ms - room.node.time_ms > _SILENT_MS]:
        yield f"{len(silent)} nodes have not reported for over {_SILENT_MS // 60_000} minutes and may be down: {_some(silent)}"
    if job.request.gpus and (whole := sum(room.counted_whole for room in rooms)):
        yield f"{whole} GPUs in use count as whole: inventory does not tell which share of them their tenants hold"
    if unknown := sum(room.unknown for room in rooms):
        yield f"{unknown} workload instances name no CPU or no memory request: they hold none that is known"
    if untold := sum(ALLOCATIONS in room.untold for room in rooms):
        yield f"what stands on {untold} nodes is not all told, so less may be free there; their `coverage` says what is needed"
    if job.request.gpus and (untold := sum(GPU_HOLDERS in room.untold for room in rooms)):
        yield f"on {untold} nodes GPUs that count as free are in use: who holds them is not told; their `coverage` says why"
    if job.request.mig_profile and not any(job.request.mig_profile in room.mig_free for room in rooms):
        yield f"no candidate node has an instance {job.request.mig_profile!r}; POST /v1/pack says how to cut GPUs"
