"""No policy can look ahead."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from recommender.backtest.ensemble import Calm, Ensemble, InPlace, Learner, Target
from recommender.backtest.peers.catalogue import peers
from recommender.backtest.replay import SizingPolicy, replay
from recommender.backtest.usage import Resource, Usage
from tests.recommender.backtest.fleets import fleet

CHANGED_FROM = 12
Make = Callable[[], SizingPolicy]


def ours(resource: Resource) -> dict[str, Make]:
    return {
        "ensemble": lambda: Ensemble(Learner(resource), 4.0),
        "ensemble, 7 d": lambda: Ensemble(Learner(resource, 7), 4.0),
        "money": lambda: Ensemble(Learner(resource), 4.0, 0.1),
        "calm": lambda: Calm(Ensemble(Learner(resource), 4.0)),
        "target": lambda: Target(Learner(resource), 0.03),
    }


def cases() -> list[tuple[Resource, str, Make]]:
    found: list[tuple[Resource, str, Make]] = []
    for resource in ("memory", "cpu"):
        found += [(resource, name, make) for name, make in ours(resource).items()]
        for i, policy in enumerate(peers(resource)):
            found.append((resource, policy.name, lambda r=resource, i=i: peers(r)[i]))  # type: ignore[misc]
    return found


@pytest.mark.parametrize(
    ("resource", "name", "make"), cases(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_decisions_before_a_changed_future_are_bit_identical(resource: Resource, name: str, make: Make) -> None:
    """All samples from day 12 on are multiplied by random 5 to 60: what was decided for days 7 to 12 is the same bit
    for bit (the decision for day 12 sees days 0 to 11), and of what comes later something changes."""
    before, after = (replay(make(), usage).limits for usage in (fleet(resource), another_future(fleet(resource))))
    same = CHANGED_FROM - 7 + 1
    assert np.array_equal(before[:, :same], after[:, :same])
    if name != "provisioned":
        assert not np.array_equal(before[:, same:], after[:, same:])


def test_hourly_decisions_do_not_look_ahead() -> None:
    """The same with a decision every hour: 24 x 5 + 1 of them come before the change."""

    def limits(usage: Usage) -> np.ndarray:
        policy = InPlace(Calm(Ensemble(Learner("cpu"), 4.0)))
        return replay(policy, usage.in_blocks_of(3600)).limits.reshape(len(usage.workloads), -1)

    before, after = limits(fleet("cpu", slots=48)), limits(another_future(fleet("cpu", slots=48)))
    same = 24 * (CHANGED_FROM - 7) + 1
    assert np.array_equal(before[:, :same], after[:, :same])
    assert not np.array_equal(before[:, same:], after[:, same:])


def another_future(usage: Usage) -> Usage:
    shape = usage.samples[:, CHANGED_FROM:].shape
    return usage.scaled_from(CHANGED_FROM, np.random.default_rng(5).uniform(5, 60, shape))
