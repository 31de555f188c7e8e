"""Decisions every hour, for clusters that resize in place, beside the daily ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.backtest.ensemble import Calm, Ensemble, InPlace, Learner
from recommender.backtest.pareto import CHURN, SLACK, THROTTLED, Means
from recommender.backtest.peers.simple import krr_cpu, krr_memory, maximum
from recommender.backtest.peers.vpa.policy import Vpa
from recommender.backtest.replay import SizingPolicy, replay
from recommender.backtest.score import outcome
from recommender.backtest.trial import CURVE, HALF_DAY, Entry
from recommender.backtest.usage import Resource, Usage

HOUR_S = 3600
PRICES = (6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
"""The part of our CPU curve from VPA's to Crane's slack: there an hourly raise pays."""
SHOWN_PRICE = 16.0


@dataclass(frozen=True, slots=True)
class Hourly:
    """Peers decided every hour; for CPU also ours: plain and calm once a day, calm raised in place."""

    resource: Resource
    peers: Sequence[Entry]
    daily: Sequence[Entry] = ()
    calm: Sequence[Entry] = ()
    in_place: Sequence[Entry] = ()


def hourly(usage: Usage, tick: Callable[[str], None] = lambda _: None) -> Hourly:
    """`usage` in blocks of a day. Autopilot's percentiles are left out: 552 of them take minutes."""
    by_hour = usage.in_blocks_of(HOUR_S)

    def entry(policy: SizingPolicy, blocks: Usage) -> Entry:
        tick(policy.name)
        return Entry(policy.name, outcome(replay(policy, blocks), usage))

    if usage.resource == "memory":
        smax = maximum(7, 1.15, "Autopilot Smax 7 d +15 %")
        peers: list[SizingPolicy] = [Vpa("target"), Vpa("target", sound=True), krr_memory(), smax]
        return Hourly("memory", [entry(policy, by_hour) for policy in peers])
    learner = Learner("cpu")
    prices = [price for price in CURVE["cpu"] if price in PRICES]
    return Hourly(
        "cpu",
        [entry(policy, by_hour) for policy in (Vpa("target"), krr_cpu())],
        [entry(Ensemble(learner, price), usage) for price in prices],
        [entry(Calm(Ensemble(learner, price)), usage) for price in prices],
        [entry(InPlace(Calm(Ensemble(learner, price))), by_hour) for price in prices],
    )


def figures(done: Hourly) -> Iterator[tuple[str, float]]:
    """Throttling of the hourly decisions over that of the daily ones, at equal slack, with the churn of both."""
    for suffix, since in (("", 0), ("_half", HALF_DAY)):
        daily, calm, hourly = (_means(curve, since) for curve in (done.daily, done.calm, done.in_place))
        slack = (max(daily[0, SLACK], hourly[0, SLACK]) + min(daily[-1, SLACK], hourly[-1, SLACK])) / 2
        ours = np.exp(_at(hourly, np.log(hourly[:, THROTTLED]), slack))
        yield f"hourly_cpu_throttling_vs_daily{suffix}", ours / np.exp(_at(daily, np.log(daily[:, THROTTLED]), slack))
        yield (
            f"hourly_cpu_throttling_vs_daily_low_churn{suffix}",
            ours / np.exp(_at(calm, np.log(calm[:, THROTTLED]), slack)),
        )
        yield f"hourly_cpu_churn{suffix}", _at(hourly, hourly[:, CHURN], slack)
        yield f"hourly_cpu_daily_churn{suffix}", _at(daily, daily[:, CHURN], slack)


def _means(curve: Sequence[Entry], since: int) -> Array:
    means: list[Means] = [entry.means(since) for entry in curve]
    return np.array([np.nanmean(one.values, axis=1) for one in means])


def _at(curve: Array, values: Array, slack: float) -> float:
    return float(np.interp(slack, curve[:, SLACK], values))
