"""Spot or on demand: the cheaper of the two, with what it rests on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recommender.placement.job import Checkpointing, Job, NodeFacts
from recommender.placement.request import Request
from recommender.placement.spot import advise_spot, gpu_price, plan_spot
from tests.recommender.placement.clusters import share, whole

PLAIN = NodeFacts(gpus=8, price_usd_per_hour=24.0)
SPOT = NodeFacts(gpus=8, price_usd_per_hour=8.0, spot=True, interruptions_per_hour=0.05)
JOB = Job(whole(1), run_time_s=36_000, checkpointing=Checkpointing(60, 120))


def test_the_advice_compares_the_cheapest_of_each() -> None:
    """One GPU of eight for 10 h: $30 on demand; $10 and the work lost on spot, by the same plan as the scorer's."""
    advice = advise_spot(JOB, [PLAIN, replace(PLAIN, price_usd_per_hour=40.0), SPOT])
    plan = plan_spot(36_000, Checkpointing(60, 120), 0.05, 1.0)
    assert (advice.advised, advice.plan, advice.on_demand_usd) == (True, plan, 30.0)
    assert advice.spot_usd == pytest.approx(plan.cost_usd)
    assert advice.sentence.endswith("$30.00 on demand: spot is cheaper")


def test_spot_that_is_interrupted_all_the_time_is_not_advised() -> None:
    """Sixty interruptions an hour with a restart of two minutes: it never ends."""
    assert advise_spot(JOB, [PLAIN, replace(SPOT, interruptions_per_hour=60.0)]).advised is False


@pytest.mark.parametrize(
    ("job", "facts", "word"),
    [
        (replace(JOB, checkpointing=None), [PLAIN, SPOT], "spot was not asked for"),
        (JOB, [PLAIN], "none of the nodes"),
        (replace(JOB, run_time_s=None), [PLAIN, SPOT], "its run time is not known"),
        (JOB, [PLAIN, replace(SPOT, interruptions_per_hour=None)], "how often spot nodes are interrupted"),
        (JOB, [replace(PLAIN, price_usd_per_hour=None), SPOT], "no node on demand has a price"),
    ],
)
def test_what_cannot_be_compared_says_why(job: Job, facts: list[NodeFacts], word: str) -> None:
    """Neither for nor against, with the reason."""
    advice = advise_spot(job, facts)
    assert advice.advised is None
    assert word in advice.sentence


@pytest.mark.parametrize(
    ("request_", "usd_per_hour"),
    [
        (whole(4), 12.0),
        (share(250), 0.75),
        (Request(0, 0, 2, mig_profile="2g.20gb"), 2 * 3 * 2 / 7),
        (Request(1000, 0), 3.0),
    ],
)
def test_a_job_pays_for_its_part_of_the_node(request_: Request, usd_per_hour: float) -> None:
    """Eight GPUs for $24: $3 each; a quarter is $0.75, a 2g slice two sevenths of $3."""
    node = replace(PLAIN, gpu_model="NVIDIA A100-SXM4-80GB")
    assert gpu_price(Job(request_), node) == pytest.approx(usd_per_hour)
    assert gpu_price(Job(request_), NodeFacts()) is None
