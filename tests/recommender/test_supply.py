"""What a view's nodes offer to jobs: rebuilt only where something changed, and never changed by a question."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.inventory import Allocation, Gpu, MigInstance, Node
from recommender.placement.inventory import TopologyLabels, room_of
from recommender.placement.request import Request
from recommender.supply import Supplies

GIB = 2**30
CARDS = tuple(Gpu(f"g{n}", "NVIDIA A100-SXM4-80GB", 80 * GIB) for n in range(2))
CUT = Gpu("m", "NVIDIA A100-SXM4-80GB", 80 * GIB, mig_enabled=True, mig=(
    MigInstance("m1", "3g.40gb", 0), MigInstance("m2", "3g.40gb", 4),
))  # fmt: skip
NODE = Node("c", "a", 1, cpu_cores=16, memory_bytes=64 * GIB, gpus=(*CARDS, CUT), allocations=(
    Allocation("w", "i", 1.5, 3 * GIB), Allocation("w", "i", gpu_uuids=("g0",)), Allocation("s", "j", gpu_uuids=("m2",)),
))  # fmt: skip


def test_a_node_offers_what_no_allocation_holds() -> None:
    """14.5 of 16 cores, 61 of 64 GiB, GPU 1, MIG instance m1. Two sources tell of one instance: it counts once."""
    room = room_of(NODE)
    assert (room.cpu_milli, room.memory_bytes) == (14_500, 61 * GIB)
    assert room.gpu_milli == (0, 1000, -1)
    assert room.mig_free == {"3g.40gb": (CUT.mig[0],)}
    assert (room.gpus_in_use, room.unknown) == (1, 1)


def test_what_is_kept_for_the_system_is_not_offered() -> None:
    """14 of 16 cores and 60 of 64 GiB may be handed out, and 1.5 cores and 3 GiB are held."""
    room = room_of(replace(NODE, allocatable_cpu_cores=14.0, allocatable_memory_bytes=60 * GIB))
    assert (room.cpu_milli, room.memory_bytes) == (12_500, 57 * GIB)


def shared(*held: tuple[str, float | None]) -> Node:
    """`g0` held by these workloads, each with the share that the source tells."""
    allocations = tuple(Allocation(who, "i", 2.0, GIB, ("g0",), gpu_share_ratio=share) for who, share in held)
    return replace(NODE, allocations=allocations)


def test_a_share_that_is_told_leaves_the_rest_of_the_gpu_free() -> None:
    """A quarter and a half: 250 milli are left, beside w and v. One of which nobody tells the share takes the GPU whole."""
    room = room_of(shared(("w", 0.25), ("v", 0.5)))
    assert (room.gpu_milli, room.gpus_in_use, room.counted_whole) == ((250, 1000, -1), 1, 0)
    assert room.beside == {0: ("w", "v")}
    assert set(room.held) == {Request(2000, GIB, 1, 250), Request(2000, GIB, 1, 500)}
    whole = room_of(shared(("w", 0.25), ("v", None)))
    assert (whole.gpu_milli[0], whole.counted_whole, whole.beside) == (0, 1, {})


def test_thirds_of_a_gpu_fill_it() -> None:
    """Three times 333.3 milli, each rounded up: nothing is left, and never less than nothing."""
    assert room_of(shared(*((who, 1 / 3) for who in "abc"))).gpu_milli[0] == 0


def test_a_node_that_says_how_it_shares_its_gpus_tells_the_share() -> None:
    """Four replicas by time-slicing: each holder has a quarter. Replicas alone do not say that they are shares."""
    sharing, replicas = "nvidia.com/gpu.sharing-strategy", "nvidia.com/gpu.replicas"
    node = replace(shared(("w", None), ("v", None)), labels={sharing: "time-slicing", replicas: "4"})
    assert room_of(node).gpu_milli[0] == 500
    assert room_of(replace(node, labels={sharing: "none", replicas: "4"})).gpu_milli[0] == 0
    assert room_of(replace(node, labels={sharing: "mps", replicas: "many"})).gpu_milli[0] == 0


def test_the_mix_is_what_gpu_workloads_hold() -> None:
    """w: one GPU with 2 cores and 3 GiB, rounded up. s: a slice, of which no CPU is known."""
    mix = Supplies(TopologyLabels()).of({"c/a": NODE}).mix
    assert set(mix.requests) == {Request(2000, 3 * GIB, 1, 1000), Request(0, 0, 1, mig_profile="3g.40gb")}
    assert mix.weights.tolist() == [0.5, 0.5]


def test_only_what_changed_is_built_anew() -> None:
    """The same nodes: the same supply. One new report: rooms of the others, and prices of an equal mix, are kept."""
    supplies, nodes = Supplies(TopologyLabels()), {"c/a": NODE, "c/b": replace(NODE, name="b")}
    first = supplies.of(nodes)
    assert supplies.of(dict(nodes)) is first
    second = supplies.of(nodes | {"c/b": replace(nodes["c/b"], cpu_cores=8)})
    assert second.rooms[0] is first.rooms[0]
    assert second.rooms[1] is not first.rooms[1]
    assert second.potential is first.potential
    assert second.cluster.cpu_milli.tolist() == [14_500, 6_500]
    assert len(supplies.of({"c/a": NODE}).rooms) == 1


def test_the_mix_follows_what_comes_and_goes() -> None:
    """However it came about, it is that of the nodes that are there now; with none there is none."""
    supplies, freed = Supplies(TopologyLabels()), replace(NODE, allocations=NODE.allocations[:2])
    for nodes in ({"c/a": NODE}, {"c/a": freed, "c/b": NODE}, {"c/a": freed}, {}):
        mix, fresh = supplies.of(nodes).mix, Supplies(TopologyLabels()).of(nodes).mix
        assert mix.requests == fresh.requests
        assert mix.weights.tolist() == fresh.weights.tolist()
    assert supplies.of({}).mix.requests == ()


def test_an_offer_is_a_copy() -> None:
    """What a question takes there is free in the supply."""
    supply = Supplies(TopologyLabels()).of({"c/a": NODE})
    offer = supply.only(np.array([0]))
    offer.cluster.take(0, Request(1000, GIB, 1, 1000), [1])
    assert supply.cluster.gpu_whole.tolist() == [1]
    assert supply.cluster.cpu_milli.tolist() == [14_500]
