"""One trial: every policy on one resource with one hold, scored on the whole month and on its second half."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from recommender.backtest.ensemble import Calm, Ensemble, Learner
from recommender.backtest.pareto import Comparison, Means, compare
from recommender.backtest.peers.catalogue import peers, rivals
from recommender.backtest.replay import SizingPolicy, replay
from recommender.backtest.score import Outcome, Score, outcome, score
from recommender.backtest.usage import Resource, Usage

DATA_SET = "bitbrains-rnd"
HALF_DAY = 15
"""The second half: decisions for day 16 (counted from 1) and later."""
CURVE: Mapping[Resource, tuple[float, ...]] = {
    "memory": (0.2, 0.3, 0.45, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6.5, 8, 10, 13, 20, 40, 80),
    "cpu": (0.3, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128),
}
"""Prices of risk at which our curve is drawn."""
SHOWN: Mapping[Resource, tuple[float, ...]] = {"memory": (1, 2, 5), "cpu": (4, 8, 16, 32)}
MONEY_EXPONENT = 0.1

Policies = Sequence[SizingPolicy]


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy of a trial and what became of its decisions."""

    name: str
    outcome: Outcome

    def scores(self) -> tuple[Score, Score]:
        """Whole month and second half."""
        return score(self.outcome), score(self.outcome.since(HALF_DAY))

    def means(self, since: int = 0) -> Means:
        return Means.of(self.name, self.outcome.since(since) if since else self.outcome)


@dataclass(frozen=True, slots=True)
class Trial:
    """peers: every peer; curves: ours by mode; rivals: those that figures compare with, by the figure's name."""

    resource: Resource
    hold_days: int
    peers: Sequence[Entry]
    curves: Mapping[str, Sequence[Entry]]
    rivals: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    data_set: str = DATA_SET

    def against(self, mode: str, rival: str, since: int = 0) -> Comparison:
        """Our curve in a mode against a rival; of two variants of it, the one that looks worse for us."""
        curve = [entry.means(since) for entry in self.curves[mode]]
        found = [compare(curve, entry.means(since), self.resource) for entry in self.rivals[rival]]
        return max(found, key=lambda comparison: comparison.risk)


def trial(
    usage: Usage, hold_days: int, tick: Callable[[str], None] = lambda _: None, data_set: str = DATA_SET
) -> Trial:
    """Replay every peer and every mode of ours. `usage` in blocks of a day; `tick` hears the name of each replay."""
    resource = usage.resource

    def entry(policy: SizingPolicy, name: str = "") -> Entry:
        tick(policy.name)
        return Entry(name or policy.name, outcome(replay(policy, usage), usage, hold_days))

    learner = Learner(resource, hold_days)
    return Trial(
        resource,
        hold_days,
        [entry(policy) for policy in peers(resource)],
        {mode: [entry(policy) for policy in policies] for mode, policies in modes(learner).items()},
        {name: [entry(policy) for policy in policies] for name, policies in rivals(resource).items()},
        data_set,
    )


def modes(learner: Learner) -> dict[str, Policies]:
    """Ours as it is, with few changes (one-day decisions only), and saving bytes rather than shares."""
    prices = CURVE[learner.resource]
    found: dict[str, Policies] = {"sizewise": [Ensemble(learner, price) for price in prices]}
    if learner.hold_days == 1:
        found["low churn"] = [Calm(Ensemble(learner, price)) for price in prices]
    if learner.resource == "memory" and learner.hold_days == 1:
        found["money"] = [Ensemble(learner, price, MONEY_EXPONENT) for price in prices]
    return found
