"""Placing: never over what a node has, never refused while room is left, cached costs equal to fresh ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.inventory import Allocation, Gpu, MigInstance, Node
from recommender.placement.cluster import Cluster
from recommender.placement.fragmentation import Fragmentation, NodeStates
from recommender.placement.inventory import cluster_of, room_of
from recommender.placement.placer import Placer
from recommender.placement.policies import BestFitPolicy
from recommender.placement.request import Mix, Request
from recommender.placement.simulate import POLICIES, replay
from tests.recommender.placement.clusters import CPU_ONLY, GIB, MIX, cluster, clusters, requests, share, whole

every_policy = pytest.mark.parametrize("policy", sorted(POLICIES))


@every_policy
@settings(max_examples=25, deadline=None)
@given(clusters, st.lists(requests, max_size=25))
def test_nothing_is_ever_over_and_what_fits_is_placed(policy: str, state: Cluster, coming: list[Request]) -> None:
    """CPU, memory and every GPU stay at 0 or more, sums agree, and None means that no node had room."""
    placer = Placer(state, POLICIES[policy](state, MIX))
    start = state.copy()
    placed = []
    for request in coming:
        room = state.feasible(request, np.arange(len(state))).any()
        found = placer.place(request)
        assert (found is not None) == room
        if found is not None:
            placed.append((request, found))
            assert len(set(found.slots)) == request.gpus
    assert (state.cpu_milli >= 0).all()
    assert (state.memory_bytes >= 0).all()
    assert (state.gpu_milli >= -1).all()
    assert state.gpu_total.tolist() == np.maximum(state.gpu_milli, 0).sum(axis=0).tolist()
    assert state.gpu_whole.tolist() == (state.gpu_milli == 1000).sum(axis=0).tolist()
    for request, found in placed:
        placer.remove(request, found)
    assert np.array_equal(state.gpu_milli, start.gpu_milli)
    assert np.array_equal(state.cpu_milli, start.cpu_milli)


@pytest.mark.parametrize("policy", ["sizewise", "fgd", "best-fit"])
@settings(max_examples=20, deadline=None)
@given(clusters, st.lists(requests, min_size=1, max_size=15))
def test_kept_costs_are_those_that_would_be_computed_now(policy: str, state: Cluster, coming: list[Request]) -> None:
    """After any history the cached costs equal those of a placer that starts from this state."""
    placer = Placer(state, POLICIES[policy](state, MIX))
    for request in coming:
        placer.place(request)
    fresh = Placer(state, POLICIES[policy](state, MIX))
    for request in coming:
        assert np.allclose(placer.costs(request), fresh.costs(request))


def test_fragmentation_as_in_the_paper() -> None:
    """One node, GPUs with 1000 and 300 free. 810 (half of the mix) cannot use 300; whole GPUs (half) neither: F = 300.
    With too little CPU for either, all 1300 are lost."""
    state = cluster((8, 8, 2))
    state.take(0, Request(0, 0, 1, 700), [1])
    mix = Mix.of([share(810), whole(1)])
    everyone = np.arange(1)
    assert Fragmentation(state, mix).of(NodeStates.now(state, everyone)).tolist() == [300.0]
    starved = NodeStates(np.array([500]), np.array([GIB]), np.array([[1000], [300]]), everyone)
    assert Fragmentation(state, mix).of(starved).tolist() == [1300.0]


def test_an_820_goes_beside_nothing_that_it_would_waste() -> None:
    """FGD and ours put 190 onto the GPU where it completes 810 and not onto a fresh one."""
    for name in ("sizewise", "fgd"):
        state = cluster((32, 32, 2))
        placer = Placer(state, POLICIES[name](state, MIX))
        first, second = placer.place(share(810)), placer.place(share(190))
        assert first is not None
        assert second is not None
        assert second.slots == first.slots


def test_a_cpu_pod_leaves_the_node_with_gpus_its_cpu() -> None:
    """Two nodes with as much CPU; only one has GPUs to feed."""
    state = cluster((16, 16, 8), (16, 16, 0))
    found = Placer(state, POLICIES["sizewise"](state, MIX)).place(CPU_ONLY)
    assert found is not None
    assert found.node == 1


def test_a_small_share_leaves_the_node_that_fits_a_gang() -> None:
    """n0 fits eight GPUs with 32 cores, n1 has two GPUs: the share goes to n1."""
    state = cluster((64, 64, 8), (64, 64, 2))
    found = Placer(state, POLICIES["sizewise"](state, MIX)).place(share(470))
    assert found is not None
    assert found.node == 1


def test_replay_counts_what_failed_by_size() -> None:
    """Two GPUs, three whole-GPU pods: one fails, at 150 % of the load; 2 of 2 GPUs are in use."""
    state = cluster((8, 8, 2))
    outcome = replay([whole(1)] * 3, state, BestFitPolicy(state))
    assert outcome.allocated_ratio == 1.0
    assert outcome.failed_by_size() == {"1 GPU": 1}
    assert outcome.failures[0].load_ratio == 1.5
    assert outcome.failed_by_size(up_to_load=1.0) == {}


def test_gpu_model_and_labels_are_kept() -> None:
    """A T4 node is no place for a pod that wants a V100; nor is a node without the label."""
    state = cluster((8, 8, 1), model="T4")
    assert Placer(state, BestFitPolicy(state)).place(Request(1, 1, 1, 500, ("V100M16", "V100M32"))) is None
    assert Placer(state, BestFitPolicy(state)).place(Request(1, 1, labels=(("disk", "ssd"),))) is None
    assert Placer(state, BestFitPolicy(state)).place(Request(1, 1, 1, 500, ("T4",))) is not None
    a100 = cluster((8, 8, 1), model="NVIDIA A100 80GB PCIe")
    assert Placer(a100, BestFitPolicy(a100)).place(Request(1, 1, 1, 500, ("A100-PCIe-80",))) is not None


@pytest.mark.parametrize("broken", [(0, 0, 1, 0), (0, 0, 1, 1001), (0, 0, 2, 500)])
def test_a_request_that_cannot_be_meant_is_refused(broken: tuple[int, int, int, int]) -> None:
    """A GPU without a share, more than one GPU in one, a share of two GPUs."""
    with pytest.raises(ValueError, match="gpu"):
        Request(*broken)


def test_taking_what_is_not_free_is_an_error() -> None:
    """The second pod of 600 on the same GPU."""
    state = cluster((8, 8, 1))
    state.take(0, share(600), [0])
    with pytest.raises(ValueError, match="does not fit on node 'n0'"):
        state.take(0, share(600), [0])


def test_inventory_becomes_free_room() -> None:
    """16 cores less 4, GPU a taken, GPU b free, GPU c cut by MIG with one of two slices taken."""
    node = Node(
        cluster="c",
        name="n",
        time_ms=0,
        cpu_cores=16,
        memory_bytes=64 * GIB,
        gpus=(
            Gpu("a", "A100", 40 * GIB),
            Gpu("b", "A100", 40 * GIB),
            Gpu(
                "c",
                "A100",
                40 * GIB,
                mig_enabled=True,
                mig=(MigInstance("m1", "3g.20gb", 0), MigInstance("m2", "3g.20gb", 4)),
            ),
        ),
        allocations=(Allocation("w", "i", 4.0, 8 * GIB, ("a", "m1")),),
    )
    free = cluster_of([room_of(node)])
    assert free.cpu_milli.tolist() == [12_000]
    assert free.memory_bytes.tolist() == [56 * GIB]
    assert free.gpu_milli[:, 0].tolist() == [0, 1000, -1]
    assert free.mig_free["3g.20gb"].tolist() == [1]
    slice_request = Request(1000, GIB, 1, 0, mig_profile="3g.20gb")
    placer = Placer(free, BestFitPolicy(free))
    assert placer.place(slice_request) is not None
    assert placer.place(slice_request) is None
