"""Inventory as room to place in: what each node has free, and what it is, from its newest report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from models.inventory import ALLOCATIONS, GPU_HOLDERS, Allocation, Gpu, MigInstance, Node
from recommender.placement.cluster import GONE, Cluster
from recommender.placement.job import NodeFacts
from recommender.placement.request import GPU_MILLI, Request
from recommender.placement.tainted import Tainted

_GIB = 2**30
_SHARING, _REPLICAS = "nvidia.com/gpu.sharing-strategy", "nvidia.com/gpu.replicas"
_UNTOLD = frozenset((ALLOCATIONS, GPU_HOLDERS))
_SHARED = ("time-slicing", "mps")
"""What NVIDIA's GPU feature discovery says of a node that gives each GPU to several."""


@dataclass(frozen=True, slots=True)
class TopologyLabels:
    """Labels of a node that name its domains, the first that it bears counts; the zone is in the inventory itself."""

    nvlink: tuple[str, ...] = ()
    rack: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """What one node has free.

    gpu_milli: free share per GPU, in the node's order; -1 for one that MIG cuts up. mig_free: free instances by profile
    name. held: what GPU workloads on it asked for, as far as inventory tells. unknown: allocations without CPU or memory.
    untold: what the sources cannot tell of who is there, of ALLOCATIONS and GPU_HOLDERS.
    gpus_in_use, counted_whole: GPUs that somebody holds, and those of them of which nobody tells the share. beside: place of
    a GPU with some of it free to the workloads on it.
    """

    node: Node
    cpu_milli: int
    memory_bytes: int
    gpu_milli: tuple[int, ...]
    mig_free: Mapping[str, tuple[MigInstance, ...]]
    facts: NodeFacts
    held: tuple[Request, ...]
    unknown: int
    untold: frozenset[str]
    gpus_in_use: int
    counted_whole: int
    beside: Mapping[int, tuple[str, ...]]

    @property
    def name(self) -> str:
        return f"{self.node.cluster}/{self.node.name}"


def room_of(node: Node, topology: TopologyLabels | None = None) -> NodeRoom:
    """What allocations hold is taken off what a scheduler may hand out, which is all of the node where nobody tells.

    An allocation that names no CPU or memory holds none that is known; a GPU is taken whole where the share is not told. GPUs
    cut by MIG offer the instances that no allocation names.
    """
    shares = _shares(node)
    holders = _holders(node.allocations)
    free = tuple(GONE if gpu.mig_enabled else _free_share(shares.get(gpu.uuid, {})) for gpu in node.gpus)
    return NodeRoom(
        node,
        _left(
            1000 * (node.allocatable_cpu_cores or node.cpu_cores),
            [1000 * cpu for cpu, *_ in holders if cpu is not None],
        ),
        _left(
            node.allocatable_memory_bytes or node.memory_bytes,
            [memory for _, memory, *_ in holders if memory is not None],
        ),
        free,
        _mig_free(node.gpus, set(shares)),
        facts_of(node, topology or TopologyLabels()),
        tuple(_held(node, holders, shares)),
        sum(cpu is None or memory is None for cpu, memory, *_ in holders),
        _UNTOLD.intersection(line.signal for line in node.coverage if not line.seen),
        sum(0 <= milli < GPU_MILLI for milli in free),
        sum(None in shares.get(gpu.uuid, {}).values() for gpu in node.gpus if not gpu.mig_enabled),
        {n: tuple(w for w, _ in shares[gpu.uuid]) for n, gpu in enumerate(node.gpus) if 0 < free[n] < GPU_MILLI},
    )


_Shares = Mapping[tuple[str, str], float | None]
"""Share of one GPU by (workload, instance); None: not told."""


def _shares(node: Node) -> Mapping[str, _Shares]:
    """By GPU or MIG uuid. A node that says it shares each GPU among N gives 1/N to each holder whose share no source tells."""
    replicas = node.labels.get(_REPLICAS, "") if node.labels.get(_SHARING) in _SHARED else ""
    usual = 1 / int(replicas) if replicas.isdigit() and int(replicas) > 1 else None
    found: dict[str, dict[tuple[str, str], float | None]] = {}
    for a in node.allocations:
        for uuid in a.gpu_uuids:
            share = usual if a.gpu_share_ratio is None else a.gpu_share_ratio
            found.setdefault(uuid, {})[a.workload, a.instance] = share
    return found


def _free_share(held: _Shares) -> int:
    """In thousandths. A taken share is rounded up, so that three of 0.333 leave nothing for a fourth of 0.002."""
    taken = sum(GPU_MILLI if share is None else ceil(round(GPU_MILLI * share, 6)) for share in held.values())
    return max(GPU_MILLI - taken, 0)


def facts_of(node: Node, topology: TopologyLabels) -> NodeFacts:
    slot = {gpu.uuid: n for n, gpu in enumerate(node.gpus)}
    links = {
        (n, slot[link.peer_uuid]): link.kind
        for n, gpu in enumerate(node.gpus)
        for link in gpu.links
        if n < slot.get(link.peer_uuid, -1)
    }
    named = {
        "zone": node.zone,
        "rack": _first(node.labels, topology.rack),
        "nvlink": _first(node.labels, topology.nvlink),
    }
    domains = {level: f"{node.cluster}/{name}" for level, name in named.items() if name}
    return NodeFacts(
        gpu_model=node.gpus[0].model if node.gpus else "",
        gpus=len(node.gpus),
        price_usd_per_hour=node.price_usd_per_hour,
        spot=bool(node.spot),
        domains=domains,
        links=links,
    )


def cluster_of(rooms: Sequence[NodeRoom]) -> Cluster:
    """Free resources of these nodes as columns, in their order; names are `cluster/node`."""
    deepest = max((len(room.gpu_milli) for room in rooms), default=0)
    gpu = np.full((max(deepest, 1), len(rooms)), GONE, dtype=np.int64)
    mig: dict[str, np.ndarray] = {}
    for n, room in enumerate(rooms):
        gpu[: len(room.gpu_milli), n] = room.gpu_milli
        for profile, free in room.mig_free.items():
            mig.setdefault(profile, np.zeros(len(rooms), dtype=np.int64))[n] = len(free)
    return Cluster(
        names=[room.name for room in rooms],
        cpu_milli=np.array([room.cpu_milli for room in rooms], dtype=np.int64),
        memory_bytes=np.array([room.memory_bytes for room in rooms], dtype=np.int64),
        gpu_milli=gpu,
        model=[room.facts.gpu_model for room in rooms],
        mig_free=mig,
        labels=[room.node.labels for room in rooms],
        tainted=Tainted.of([room.node.taints for room in rooms]),
    )


_Holder = tuple[float | None, int | None, tuple[str, ...], tuple[str, str]]
"""CPU cores, memory bytes, GPU uuids and (workload, instance)."""


def _holders(allocations: Sequence[Allocation]) -> list[_Holder]:
    """One per workload instance: one source sees its requests, another its GPUs."""
    found: dict[tuple[str, str], _Holder] = {}
    for a in allocations:
        who = a.workload, a.instance
        cpu, memory, gpus, _ = found.get(who, (None, None, (), who))
        found[who] = (
            a.cpu_cores if cpu is None else cpu,
            a.memory_bytes if memory is None else memory,
            tuple(dict.fromkeys((*gpus, *a.gpu_uuids))),
            who,
        )
    return list(found.values())


def _held(node: Node, holders: Sequence[_Holder], shares: Mapping[str, _Shares]) -> Iterator[Request]:
    """Requests that took GPUs, rounded up to a core and a GiB, so that alike ones count as one kind."""
    whole = {gpu.uuid for gpu in node.gpus if not gpu.mig_enabled}
    slices = {m.uuid: m.profile for gpu in node.gpus for m in gpu.mig}
    for cpu, memory, uuids, who in holders:
        cores, gib = 1000 * ceil(cpu or 0), _GIB * ceil((memory or 0) / _GIB)
        if mine := whole.intersection(uuids):
            share = shares[next(iter(mine))][who] if len(mine) == 1 else None
            yield Request(cores, gib, len(mine), GPU_MILLI if share is None else max(ceil(GPU_MILLI * share), 1))
        for profile, count in Counter(slices[uuid] for uuid in uuids if uuid in slices).items():
            yield Request(cores, gib, count, mig_profile=profile)


def _mig_free(gpus: Sequence[Gpu], taken: set[str]) -> Mapping[str, tuple[MigInstance, ...]]:
    free: dict[str, tuple[MigInstance, ...]] = {}
    for gpu in gpus:
        for instance in gpu.mig:
            mine = () if instance.uuid in taken else (instance,)
            free[instance.profile] = (*free.get(instance.profile, ()), *mine)
    return free


def _first(labels: Mapping[str, str], names: Sequence[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")


def _left(total: float, held: Sequence[float]) -> int:
    return max(int(total - sum(held)), 0)
