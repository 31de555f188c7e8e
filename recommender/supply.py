"""What the nodes of a view offer to jobs: free room by columns, facts, and the worth of room for the requests to come.

Built from a snapshot's inventory when somebody asks, and kept until the inventory changes. What one node has is worked
out anew only when that node reported, and prices only when the mix of GPU requests changed.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.inventory import Node
from recommender.access.restrict import restrict
from recommender.access.scope import Scope
from recommender.placement.cluster import Cluster
from recommender.placement.inventory import NodeRoom, TopologyLabels, cluster_of, room_of
from recommender.placement.job import NodeFacts
from recommender.placement.policies import PotentialPolicy
from recommender.placement.potential import Potential, cluster_gpus
from recommender.placement.request import Ints, Mix, Request
from recommender.view import Snapshot

_MOST_KINDS = 64
"""Kinds of GPU requests in the mix, the most frequent: 64 are 0.5 ms a question over 1,500 nodes."""


@dataclass(frozen=True, slots=True)
class Supply:
    """rooms, cluster and facts have one entry per node, in one order. mix: GPU requests that stand on the nodes now.
    place_of: by `cluster/node`. place_of_name: by the node's own name, where one cluster alone has it."""

    rooms: Sequence[NodeRoom]
    cluster: Cluster
    mix: Mix
    potential: Potential
    place_of: Mapping[str, int]
    place_of_name: Mapping[str, int]

    def only(self, nodes: Ints) -> Offer:
        """These nodes, as a question may change them."""
        rooms = [self.rooms[n] for n in nodes]
        cluster = self.cluster.subset(nodes)
        return Offer(rooms, cluster, [room.facts for room in rooms], PotentialPolicy(cluster, self.potential))


@dataclass(frozen=True, slots=True)
class Offer:
    """Some nodes with their free room, copied for one question."""

    rooms: Sequence[NodeRoom]
    cluster: Cluster
    facts: Sequence[NodeFacts]
    policy: PotentialPolicy


def supply_of(rooms: Sequence[NodeRoom], held: Mapping[Request, int], before: Supply | None = None) -> Supply:
    """held: how many GPU workloads on these nodes ask for what."""
    cluster, mix = cluster_of(rooms), mix_of(held)
    same = before is not None and _same(mix, before.mix) and cluster_gpus(cluster) == cluster_gpus(before.cluster)
    potential = before.potential if before and same else Potential(mix, cluster_gpus(cluster))
    return Supply(rooms, cluster, mix, potential, *_places(rooms))


def _places(rooms: Sequence[NodeRoom]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """`place_of` and `place_of_name`."""
    often = Counter(room.node.name for room in rooms)
    of_name = {room.node.name: n for n, room in enumerate(rooms) if often[room.node.name] == 1}
    return {room.name: n for n, room in enumerate(rooms)}, of_name


def mix_of(held: Mapping[Request, int]) -> Mix:
    """What GPU workloads hold now stands for what will be asked for."""
    often = sorted((request for request, n in held.items() if n > 0), key=lambda r: (-held[r], r))[:_MOST_KINDS]
    weights = np.array([held[request] for request in often], dtype=np.float64)
    return Mix(tuple(often), weights / max(weights.sum(), 1.0))


def _same(mix: Mix, other: Mix) -> bool:
    return mix.requests == other.requests and np.array_equal(mix.weights, other.weights)


class Supplies:
    """The supply of the newest inventory that was asked about. Shared by all requests."""

    def __init__(self, topology: TopologyLabels) -> None:
        self._topology = topology
        self._lock = threading.Lock()
        self._rooms: dict[str, NodeRoom] = {}
        self._held: Counter[Request] = Counter()
        self._supply = supply_of([], {})
        self._seen_of, self._seen = self._supply, dict[tuple[str, ...], Supply]()

    def of(self, nodes: Mapping[str, Node]) -> Supply:
        """`nodes` as in a snapshot: nodes that did not report anew are the same objects."""
        with self._lock:
            rooms = {key: self._room(key, node) for key, node in nodes.items()}
            gone = [room for key, room in self._rooms.items() if rooms.get(key) is not room]
            fresh = [room for key, room in rooms.items() if self._rooms.get(key) is not room]
            if gone or fresh:
                self._count(gone, fresh)
                self._rooms, self._supply = rooms, supply_of(list(rooms.values()), self._held, self._supply)
            return self._supply

    def seen(self, snapshot: Snapshot, scope: Scope) -> Supply:
        """The supply as `scope` sees it: of what others hold, only that the room is not free. Kept per scope until the
        inventory changes."""
        whole = self.of(snapshot.nodes)
        if scope.everywhere:
            return whole
        with self._lock:
            if self._seen_of is not whole:
                self._seen_of, self._seen = whole, {}
            if scope.namespaces not in self._seen:
                self._seen[scope.namespaces] = _as_seen(whole, restrict(snapshot, scope).nodes, self._topology)
            return self._seen[scope.namespaces]

    def _count(self, gone: Iterable[NodeRoom], fresh: Iterable[NodeRoom]) -> None:
        """Only what changed: to count the 4,600 of 1,500 nodes anew takes 8 ms."""
        self._held.subtract(request for room in gone for request in room.held)
        self._held.update(request for room in fresh for request in room.held)
        self._held = +self._held

    def _room(self, key: str, node: Node) -> NodeRoom:
        known = self._rooms.get(key)
        return known if known is not None and known.node is node else room_of(node, self._topology)


def _as_seen(whole: Supply, own: Mapping[str, Node], topology: TopologyLabels) -> Supply:
    """own: nodes with the asker's own allocations alone. How much room is free is taken from the whole, and nothing else:
    what it is priced for, what is not known of it, and who is there is the asker's own."""
    rooms, places = [], []
    for key, node in own.items():
        if (place := whole.place_of.get(key)) is not None:
            rooms.append(_as_free(room_of(node, topology), whole.rooms[place]))
            places.append(place)
    cluster = whole.cluster.subset(np.array(places, dtype=np.int64))
    mix = mix_of(Counter(request for room in rooms for request in room.held))
    prices = Potential(mix, cluster_gpus(cluster))
    return Supply(rooms, cluster, mix, prices, *_places(rooms))


def _as_free(mine: NodeRoom, whole: NodeRoom) -> NodeRoom:
    free = {name: getattr(whole, name) for name in _FREE}
    return replace(mine, **free)


_FREE = ("cpu_milli", "memory_bytes", "gpu_milli", "mig_free")
"""What of a room anyone may know who may place there."""
