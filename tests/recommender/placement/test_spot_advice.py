"""Spot or on demand: the cheaper of the two, with what it rests on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recommender.placement.job import Checkpointing, Job, NodeFacts
from recommender.placement.spot import advise_spot, plan_spot
from tests.recommender.placement.clusters import whole

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
