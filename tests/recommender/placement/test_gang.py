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
