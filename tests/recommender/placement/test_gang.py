"""A gang stands whole or not at all, as near together as there is room."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.placement.cluster import Cluster
from recommender.placement.gang import place_gang
from recommender.placement.job import Job, NodeFacts
from recommender.placement.policies import BestFitPolicy, PotentialPolicy
from recommender.placement.potential import Potential
from recommender.placement.request import Request
from tests.recommender.placement.clusters import MIX, cluster, clusters, requests, whole


def rack(name: str, model: str = "A100-SXM4-40GB") -> NodeFacts:
    return NodeFacts(gpu_model=model, gpus=8, domains={"rack": name, "zone": "z"})


def test_the_narrowest_domain_that_holds_all_wins() -> None:
    """Three members of 8 GPUs: rack a has two nodes, rack b three."""
    state = cluster(*[(64, 64, 8)] * 5)
    facts = [rack("a"), rack("a"), rack("b"), rack("b"), rack("b")]
    found = place_gang(Job(whole(8), members=3), state, facts, BestFitPolicy(state))
    assert (found.level, found.domain) == ("rack", "b")
    assert sorted(m.node for m in found.members) == [2, 3, 4]


def test_a_gang_that_no_rack_holds_spans_the_zone() -> None:
    """Four members on five nodes in two racks."""
    state = cluster(*[(64, 64, 8)] * 5)
    facts = [rack("a"), rack("a"), rack("b"), rack("b"), rack("b")]
    assert place_gang(Job(whole(8), members=4), state, facts, BestFitPolicy(state)).level == "zone"


def test_one_member_too_many_places_none_and_says_how_many_there_was_room_for() -> None:
    """Three members, two nodes."""
    state = cluster((64, 64, 8), (64, 64, 8))
    found = place_gang(Job(whole(8), members=3), state, [rack("a"), rack("a")], BestFitPolicy(state))
    assert found.members == ()
    assert "room for 2 of 3 members" in found.reason
    assert state.gpu_whole.tolist() == [8, 8]


def test_an_fp64_gang_does_not_go_to_gpus_without_it() -> None:
    """A B300 has 1.25 TFLOP/s of FP64, an A100 19.5."""
    state = cluster((64, 64, 8), (64, 64, 8))
    facts = [rack("a", "NVIDIA B300"), rack("a")]
    found = place_gang(Job(whole(8), members=1, fp64=True), state, facts, BestFitPolicy(state))
    assert [m.node for m in found.members] == [1]
    assert not place_gang(Job(whole(8), members=2, fp64=True), state, facts, BestFitPolicy(state)).members


def test_a_gang_runs_on_one_gpu_model_even_across_racks() -> None:
    """Rack a holds both members on an A100 and an H100; two A100 stand in two racks of one zone."""
    state = cluster(*[(64, 64, 8)] * 3)
    facts = [rack("a"), rack("a", "NVIDIA H100 80GB HBM3"), rack("b")]
    found = place_gang(Job(whole(8), members=2), state, facts, BestFitPolicy(state))
    assert (found.level, sorted(m.node for m in found.members)) == ("zone", [0, 2])


def test_a_gang_takes_different_models_rather_than_none() -> None:
    """Three members, two A100 nodes and one H100 node: all stand, and the reason says how."""
    state = cluster(*[(64, 64, 8)] * 3)
    facts = [rack("a"), rack("a", "NVIDIA H100 80GB HBM3"), rack("b")]
    found = place_gang(Job(whole(8), members=3), state, facts, BestFitPolicy(state))
    assert len(found.members) == 3
    assert "different models" in found.reason


def test_a_compute_bound_gang_takes_the_faster_rack() -> None:
    """989 bf16 TFLOP/s against 312: rack b, though a comes first."""
    state = cluster(*[(64, 64, 8)] * 4)
    facts = [rack("a"), rack("a"), *[rack("b", "NVIDIA H100 80GB HBM3")] * 2]
    found = place_gang(Job(whole(8), members=2, bottleneck="compute"), state, facts, BestFitPolicy(state))
    assert (found.level, found.domain) == ("rack", "b")


@settings(max_examples=50, deadline=None)
@given(clusters, requests, st.integers(1, 8), st.lists(st.sampled_from("ab"), min_size=6, max_size=6))
def test_all_or_nothing(state: Cluster, request: Request, members: int, racks: list[str]) -> None:
    """Either every member has taken its room, or the cluster is as it was, to the bit."""
    before = state.copy()
    facts = [rack(racks[n]) for n in range(len(state))]
    found = place_gang(Job(request, members=members), state, facts, PotentialPolicy(state, Potential(MIX, 20)))
    assert len(found.members) in (0, members)
    taken = len(found.members) * request.total_gpu_milli
    assert before.gpu_total.sum() - state.gpu_total.sum() == taken
    assert before.cpu_milli.sum() - state.cpu_milli.sum() == len(found.members) * request.cpu_milli
    if not found.members:
        assert np.array_equal(before.gpu_milli, state.gpu_milli)
