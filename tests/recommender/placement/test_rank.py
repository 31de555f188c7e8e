"""Ranking: each factor moves the order its way and says why; what is not feasible is named by reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recommender.placement.cluster import Cluster
from recommender.placement.job import Checkpointing, GpuDemand, Job, NodeFacts
from recommender.placement.policies import PotentialPolicy
from recommender.placement.potential import Potential
from recommender.placement.rank import Ranking, RankPolicy, rank
from recommender.placement.request import Request
from tests.recommender.placement.clusters import MIX, cluster, share, whole

A100 = NodeFacts(gpu_model="NVIDIA A100-SXM4-40GB", gpus=8, price_usd_per_hour=24.0)
L4 = NodeFacts(gpu_model="NVIDIA L4", gpus=8, price_usd_per_hour=6.4)
B300 = NodeFacts(gpu_model="NVIDIA B300", gpus=8, price_usd_per_hour=48.0)


def ranked(job: Job, facts: list[NodeFacts], only: str = "", state: Cluster | None = None) -> Ranking:
    state = state or cluster(*[(64, 64, 8)] * len(facts))
    policy = PotentialPolicy(state, Potential(MIX, 20))
    return rank(job, state, facts, policy, RankPolicy({only: 1.0}) if only else None)


def order(ranking: Ranking) -> list[str]:
    return [candidate.node for candidate in ranking.candidates]


def test_a_memory_bound_job_goes_to_bandwidth_per_dollar() -> None:
    """A100: 1555 GB/s for $3 are 518 a dollar; L4: 300 GB/s for $0.8 are 375."""
    ranking = ranked(Job(whole(1), bottleneck="memory"), [L4, A100], "suitability")
    assert order(ranking) == ["n1", "n0"]
    assert "518.3 GB/s of memory bandwidth per $/h" in ranking.candidates[0].factors["suitability"][1]


def test_a_job_that_the_gpu_does_not_limit_goes_to_the_cheapest() -> None:
    """L4 at $0.8 against A100 at $3."""
    assert order(ranked(Job(whole(1), bottleneck="io"), [A100, L4], "suitability")) == ["n1", "n0"]


def test_an_fp64_job_never_goes_to_a_gpu_without_fp64() -> None:
    """B300 has 1.25 TFLOP/s; it is refused with the number, whatever else speaks for it."""
    ranking = ranked(Job(whole(1), fp64=True), [B300, A100])
    assert order(ranking) == ["n1"]
    assert list(ranking.refused) == ["it computes in FP64, of which B300-270 has 1.25 TFLOP/s"]


def test_gpus_joined_by_nvlink_come_first() -> None:
    """Two GPUs: NVLink on n1, the system bus on n0, nothing known on n2."""
    facts = [replace(A100, links={(0, 1): "system"}), replace(A100, links={(0, 1): "nvlink"}), A100]
    ranking = ranked(Job(whole(2)), facts, "topology")
    assert order(ranking) == ["n1", "n2", "n0"]
    assert ranking.candidates[0].factors["topology"][1] == "its 2 GPUs are joined by nvlink at the weakest"


def test_a_gpu_whose_tenant_wants_the_same_comes_last() -> None:
    """Bandwidth 0.5 + 0.5 of a ceiling of 0.8: speed 0.8. On n1 the tenant computes only. Host links add up as well: 0.9 and
    0.6 are 1.5 times one. Of a tenant of which nothing is known nothing is said."""
    state = cluster((64, 64, 1), (64, 64, 1))
    for node in (0, 1):
        state.take(node, Request(0, 0, 1, 500), [0])
    facts = [replace(A100, tenants={0: [GpuDemand(0.2, 0.5)]}), replace(A100, tenants={0: [GpuDemand(0.5, 0.1)]})]
    job = Job(share(400), compute_demand=0.2, bandwidth_demand=0.5, transfer_demand=0.6)
    ranking = ranked(job, facts, "interference", state)
    assert order(ranking) == ["n1", "n0"]
    assert ranking.candidates[1].factors["interference"] == (
        pytest.approx(0.8),
        "keeps 80% of its speed beside others: memory bandwidth is asked for 1.2 times over",
    )
    copying = [facts[0], replace(A100, tenants={0: [GpuDemand(0.0, 0.0, 0.5), GpuDemand(0.0, 0.0, 0.4)]})]
    said = ranked(job, copying, "interference", state).candidates[1].factors["interference"][1]
    assert said == "keeps 67% of its speed beside others: host link is asked for 1.5 times over"
    nobody = ranked(job, [replace(A100, tenants={0: [GpuDemand()]}), facts[1]], "interference", state)
    assert nobody.candidates[1].factors["interference"][0] == 0.5


def test_spot_is_weighed_with_the_work_it_loses() -> None:
    """A third of the price and one interruption a day: spot is cheaper. Sixty an hour with a checkpoint of a minute: not."""
    job = Job(whole(1), run_time_s=36_000, checkpointing=Checkpointing(60, 120))
    cheap = replace(A100, spot=True, price_usd_per_hour=8.0, interruptions_per_hour=1 / 24)
    assert order(ranked(job, [A100, cheap], "cost"))[0] == "n1"
    assert order(ranked(job, [A100, replace(cheap, interruptions_per_hour=60)], "cost"))[0] == "n0"


def test_what_cannot_be_interrupted_gets_no_spot_node() -> None:
    """No checkpoints: spot nodes are refused by name."""
    ranking = ranked(Job(whole(1)), [replace(A100, spot=True), A100])
    assert order(ranking) == ["n1"]
    assert ranking.refused == {"it cannot be interrupted, and this is a spot node": ("n0",)}


def test_every_node_without_room_is_named_by_what_it_lacks() -> None:
    """Too little CPU, too few GPUs, no GPU at all."""
    state = cluster((1, 64, 8), (64, 64, 1), (64, 64, 0), (64, 1, 8))
    ranking = ranked(Job(Request(2000, 2 * 2**30, 2, 1000)), [A100] * 4, state=state)
    assert ranking.candidates == ()
    assert ranking.refused == {
        "fewer than 2 GPUs wholly free": ("n1", "n2"),
        "too little CPU is free": ("n0",),
        "too little memory is free": ("n3",),
    }


def test_what_is_not_known_counts_neither_for_nor_against() -> None:
    """An unknown GPU model without price: 0.5, and the sentence says so."""
    ranking = ranked(Job(whole(1), bottleneck="memory"), [NodeFacts(gpu_model="NVIDIA Something")])
    score, sentence = ranking.candidates[0].factors["suitability"]
    assert (score, "not in the table" in sentence) == (0.5, True)
    assert ranking.candidates[0].factors["cost"][0] == 0.5
