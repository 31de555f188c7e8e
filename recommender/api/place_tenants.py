"""What those do on a GPU who share it already, by their profiles, for the interference of one more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.bottleneck import BUSY, DRAM_CEILING, HOST, MEMORY
from recommender.placement.inventory import NodeRoom
from recommender.placement.job import GpuDemand, Job, NodeFacts
from recommender.supply import Offer
from recommender.view import Snapshot


def with_tenants(offer: Offer, snapshot: Snapshot, job: Job) -> Offer:
    """The offer with the demands of those who share GPUs of which the job could take a part. A workload that `snapshot` does
    not show, or of which no GPU telemetry was seen, leaves the demand on its GPU unknown."""
    if not job.request.shared or not any(room.beside for room in offer.rooms):
        return offer
    known = {w: _demand(snapshot, w) for room in offer.rooms for held in room.beside.values() for w in held}
    facts = [_told(facts, room, known) for facts, room in zip(offer.facts, offer.rooms, strict=True)]
    return replace(offer, facts=facts)


def _told(facts: NodeFacts, room: NodeRoom, known: dict[str, GpuDemand]) -> NodeFacts:
    if not room.beside:
        return facts
    return replace(facts, tenants={slot: [known[w] for w in held] for slot, held in room.beside.items()})


def _demand(snapshot: Snapshot, workload: str) -> GpuDemand:
    row = snapshot.get(workload)
    if row is None or not int(row["gpu_last_seen_ms"]):
        return GpuDemand()
    busy, memory, host = (None if np.isnan(v) else float(v) for v in row["gpu_evidence"][[BUSY, MEMORY, HOST]])
    return GpuDemand(busy, None if memory is None else memory * DRAM_CEILING, host)
