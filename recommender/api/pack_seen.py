"""POST /v1/pack for what runs now: the MIG sizes of a workload from its profile, and its replicas from the inventory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.hardware.geometry import MigGpu, MigProfile
from models.inventory import Node
from models.profile import GPU_FIELDS
from models.workload import WorkloadName
from recommender.api.pack_body import PackRequest, PackWorkload
from recommender.api.slices import SliceAdvisor
from recommender.gpu_seen import GpuSeen, advise_slice, gpu_seen, gpus_held
from recommender.mig.choose import SliceAdvice
from recommender.mig.demand import Demand, GpuKind, Size
from recommender.view import Row, Snapshot
from recommender.view_query import QueryError
from stream.columns_codec import decode_columns

EVERY = "*"


@dataclass(frozen=True, slots=True)
class SizedWorkload:
    """One workload as its profile says. keys: MIG sizes that will do on GPUs of `model`; empty: it stays as it is.
    reason: the sentences of the advice."""

    name: str
    replicas: int
    model: str
    keys: tuple[str, ...]
    profiles: tuple[str, ...]
    reason: str

    def demand(self, kinds: Sequence[GpuKind]) -> Demand:
        """Of kinds that are the model it was seen on: what it uses there says little of another."""
        mine = [kind for kind in kinds if kind.name.partition(" #")[0] == self.model]
        sizes = [Size(kind.name, p.key) for kind in mine for p in kind.mig.sizes if p.key in self.keys]
        return Demand(self.name, self.replicas, dict.fromkeys(sizes, 1.0))


def sized(
    snapshot: Snapshot, asked: PackRequest, nodes: Collection[str], advisor: SliceAdvisor
) -> tuple[SizedWorkload, ...]:
    """Those of `asked.workloads` that name no needs, and those of `asked.namespaces` that hold GPUs of these nodes.

    Raises QueryError for one that is named and cannot be sized.
    """
    named = {w.name: (n, w) for n, w in enumerate(asked.workloads) if _by_profile(w)}
    told = {w.name for w in asked.workloads} - set(named)
    running = [
        w for w in snapshot.gpu_nodes if w not in told and _within(w, asked.namespaces) and _there(snapshot, w, nodes)
    ]
    rows = [row for w in dict.fromkeys((*named, *running)) if (row := snapshot.get(w)) is not None]
    found = {one.name: one for one in _sized(snapshot, rows, nodes, advisor)}
    for name, (n, wish) in named.items():
        if name not in found or not found[name].keys:
            why = found[name].reason if name in found else "no GPU telemetry of such a workload was seen"
            mend = f"{why}; name mig_profiles that will do, or the memory_bytes that one replica needs"
            raise QueryError(f"workloads[{n}].mig_profiles", wish.mig_profiles, mend)
        found[name] = replace(found[name], replicas=wish.replicas or found[name].replicas)
    return tuple(found.values())


def _by_profile(wish: PackWorkload) -> bool:
    return not wish.mig_profiles and wish.memory_bytes is None


def _within(workload: str, namespaces: Sequence[str]) -> bool:
    if not namespaces or EVERY in namespaces:
        return bool(namespaces)
    try:
        return WorkloadName.parse(workload).namespace in namespaces
    except ValueError:  # a foreign producer's id has no namespace
        return False


def _there(snapshot: Snapshot, workload: str, nodes: Collection[str]) -> Mapping[str, Node]:
    """Those of the nodes on which it holds GPUs."""
    return {key: node for key, node in snapshot.gpu_nodes.get(workload, {}).items() if key in nodes}


def _sized(
    snapshot: Snapshot, rows: Iterable[Row], nodes: Collection[str], advisor: SliceAdvisor
) -> Iterator[SizedWorkload]:
    for name, seen in _seen(rows):
        mine = _there(snapshot, name, nodes)
        held = next(gpus_held(name, mine), None)
        advice, mig = advise_slice(seen, held, advisor.model, advisor.policy)
        will_do = tuple(_will_do(advice, mig, 1 / (1 + advisor.policy.max_slowdown_ratio))) if mig else ()
        running = {
            (key, a.instance) for key, n in mine.items() for a in n.allocations if a.workload == name and a.gpu_uuids
        }
        yield SizedWorkload(
            name,
            max(len(running), 1),
            seen.model,
            tuple(profile.key for profile in will_do),
            tuple(profile.name for profile in will_do),
            "; ".join(because.sentence for because in advice.because),
        )


def _will_do(advice: SliceAdvice, mig: MigGpu, line: float) -> Iterator[MigProfile]:
    """The advised size and the larger ones that are fast enough. Where a probe is wanted first, the whole GPU."""
    if advice.profile is not None:
        larger = mig.sizes[mig.sizes.index(advice.profile) :]
        yield from (profile for profile in larger if advice.speeds[profile.key] >= line)


def _seen(rows: Iterable[Row]) -> Iterator[tuple[str, GpuSeen]]:
    """The GPU side of each that has one. A slab is unpacked once, 1-2 ms."""
    packed: dict[int, tuple[bytes, list[str]]] = {}
    for row in rows:
        if int(row["gpu_last_seen_ms"]) and (body := row.slab.packed_of(row.index)) is not None:
            packed.setdefault(id(body), (body, []))[1].append(row.id)
    for body, names in packed.values():
        profiles = decode_columns(body, GPU_FIELDS)
        place = {workload: n for n, workload in enumerate(profiles.workloads)}
        for name in (name for name in names if name in place):
            if (seen := gpu_seen(profiles.take(np.array([place[name]])))) is not None:
                yield name, seen
