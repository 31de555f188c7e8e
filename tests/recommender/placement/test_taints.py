"""Taints in placement: who does not tolerate them goes elsewhere, whatever else speaks for the node."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.taints import CORDONED, Taint, Toleration, forbidding
from recommender.placement.cluster import Cluster
from recommender.placement.gang import place_gang
from recommender.placement.job import Job, NodeFacts
from recommender.placement.placer import Placer
from recommender.placement.policies import PotentialPolicy
from recommender.placement.potential import Potential
from recommender.placement.rank import Ranking, RankPolicy, rank
from recommender.placement.request import Request
from recommender.placement.tainted import UNTAINTED, Tainted, Taints
from tests.models.test_taints import TAINTS, TOLERATIONS
from tests.recommender.placement.clusters import MIX, cluster, requests, whole

GPU = Taint("nvidia.com/gpu", "NoSchedule", "present")
RATHER_NOT = Taint("dedicated", "PreferNoSchedule", "ml")
GPU_BORNE = Toleration("nvidia.com/gpu", "Exists")
SETS = st.lists(st.one_of(st.none(), st.lists(TAINTS, max_size=3).map(tuple)), min_size=1, max_size=6)


def tainted(*nodes: Taints) -> Cluster:
    """A node for each of these sets, all alike but for that."""
    return replace(cluster(*[(64, 64, 8)] * len(nodes)), tainted=Tainted.of(nodes))


def ranked(request: Request, state: Cluster, rules: RankPolicy | None = None) -> Ranking:
    facts = [NodeFacts(gpu_model="NVIDIA A100-SXM4-40GB", gpus=8)] * len(state)
    return rank(Job(request), state, facts, PotentialPolicy(state, Potential(MIX, 20)), rules)


def order(ranking: Ranking) -> list[str]:
    return [candidate.node for candidate in ranking.candidates]


@given(requests, SETS, st.lists(TOLERATIONS, max_size=3))
def test_only_nodes_whose_taints_are_tolerated_are_taken(
    request: Request, sets: list[Taints], tolerations: list[Toleration]
) -> None:
    """By rank, by the placer and by the gang alike; what no source tells keeps nobody off."""
    asked = replace(request, tolerations=tuple(tolerations))
    state = tainted(*sets)
    open_nodes = {f"n{k}" for k, taints in enumerate(sets) if not forbidding(taints or (), tolerations)}
    assert set(order(ranked(asked, state))) <= open_nodes
    assert (Placer(state.copy(), PotentialPolicy(state, Potential(MIX, 20))).place(asked) is not None) <= bool(
        open_nodes
    )
    facts = [NodeFacts()] * len(state)
    gang = place_gang(Job(asked, members=2), state, facts, PotentialPolicy(state, Potential(MIX, 20)))
    assert {f"n{member.node}" for member in gang.members} <= open_nodes


@given(SETS, st.lists(TOLERATIONS, max_size=3), st.data())
def test_columns_say_what_the_rule_says_of_each_node(
    sets: list[Taints], tolerations: list[Toleration], data: st.DataObject
) -> None:
    """Also of some of the nodes, in any order."""
    some = data.draw(st.lists(st.integers(0, len(sets) - 1)))
    columns = Tainted.of(sets).take(np.array(some, dtype=np.int64))
    expected = [not forbidding(sets[n] or (), tolerations) for n in some]
    assert columns.bearable(tolerations).tolist() == expected
    assert columns.unknown == sum(sets[n] is None for n in some)
    closed = np.zeros(len(some), dtype=bool)
    for nodes, taints in columns.forbidding(tolerations):
        assert taints
        closed |= nodes
    assert closed.tolist() == [not fits for fits in expected]


def test_a_node_that_bids_go_elsewhere_comes_last_and_is_still_taken() -> None:
    """n0 and n1 are alike. With one node alone, PreferNoSchedule keeps nobody off; tolerated, it does not count."""
    ranking = ranked(whole(1), tainted((RATHER_NOT,), ()))
    assert order(ranking) == ["n1", "n0"]
    assert ranking.candidates[1].factors["taints"] == (
        0.0,
        "it is tainted dedicated=ml:PreferNoSchedule: better elsewhere",
    )
    assert order(ranked(whole(1), tainted((RATHER_NOT,)))) == ["n0"]
    borne = replace(whole(1), tolerations=(Toleration("dedicated", "Equal", "ml"),))
    assert "taints" not in ranked(borne, tainted((RATHER_NOT,), ())).candidates[0].factors


def test_two_such_taints_are_worse_than_one() -> None:
    """As kube-scheduler counts them: 1 - 1/2 against 0."""
    other = Taint("old", "PreferNoSchedule")
    ranking = ranked(whole(1), tainted((RATHER_NOT, other), (other,), ()), RankPolicy({"taints": 1.0}))
    assert [candidate.score for candidate in ranking.candidates] == [1.0, 0.5, 0.0]


def test_a_factor_with_nothing_to_weigh_leaves_the_mean_alone() -> None:
    """Nobody is tainted and nothing else is asked for: all are equal."""
    assert [c.score for c in ranked(whole(1), tainted((), ()), RankPolicy({"taints": 1.0})).candidates] == [1.0, 1.0]


def test_a_gang_and_a_stream_of_requests_fill_other_nodes_first() -> None:
    """n1 and n2 have 8 GPUs each; the third member of 8 GPUs goes to n0 all the same."""
    facts = [NodeFacts(gpu_model="a", gpus=8)] * 3
    for members, expected in ((2, {1, 2}), (3, {0, 1, 2})):
        state = tainted((RATHER_NOT,), (), ())
        gang = place_gang(Job(whole(8), members=members), state, facts, PotentialPolicy(state, Potential(MIX, 24)))
        assert {member.node for member in gang.members} == expected
    state = tainted((RATHER_NOT,), (), ())
    placer = Placer(state, PotentialPolicy(state, Potential(MIX, 24)))
    placed = [placer.place(whole(8)) for _ in range(4)]
    assert [one.node for one in placed if one] == [1, 2, 0]
    assert placed[3] is None


def test_each_closed_node_is_told_with_its_state_and_its_mend() -> None:
    """A node may be closed twice: uncordoning it is not enough then."""
    ranking = ranked(whole(1), tainted((CORDONED,), (GPU,), (GPU,), (CORDONED, GPU), None))
    assert order(ranking) == ["n4"]
    assert dict(ranking.refused) == {
        "it is tainted nvidia.com/gpu=present:NoSchedule: add a toleration to use it": ("n1", "n2"),
        "it is cordoned: `kubectl uncordon` opens it": ("n0",),
        "it is cordoned and tainted nvidia.com/gpu=present:NoSchedule: `kubectl uncordon` opens it, add a toleration to"
        " use it": ("n3",),
    }
    borne = replace(whole(1), tolerations=(GPU_BORNE,))
    assert order(ranked(borne, tainted((CORDONED,), (GPU,), (CORDONED, GPU)))) == ["n1"]


def test_nodes_of_a_trace_have_no_taints() -> None:
    """None is closed and none is unknown, however many there are."""
    assert cluster((1, 1, 1)).tainted is UNTAINTED
    assert (UNTAINTED.unknown, UNTAINTED.forbids, UNTAINTED.dissuades) == (0, False, False)
    assert cluster((1, 1, 1), (1, 1, 1)).subset(np.array([1])).tainted is UNTAINTED
