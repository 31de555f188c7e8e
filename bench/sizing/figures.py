"""The named figures: ratios of ours over theirs, on the whole month and, with `_half`, on its second half."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.backtest.ensemble import Learner, Target
from recommender.backtest.pareto import Comparison
from recommender.backtest.replay import replay
from recommender.backtest.score import outcome, score
from recommender.backtest.trial import DATA_SET, HALF_DAY, Trial
from recommender.backtest.usage import Past, Usage
from recommender.sizing.experts.calibrate import GROUPS

Figure = tuple[str, float]
_DRAWS = 2000
PERIODS = {"": 0, "_half": HALF_DAY}
TARGETS = (0.03, 0.01)

NOTES = (
    "Each decision sees earlier days only and is held for the days under 'hold'. Slack: (limit - P95 of the day) / limit, "
    "cut at 0. Risk: memory, share of workload-days with a sample above the limit; CPU, share of samples above it. "
    "Churn: moves by more than 5 % per workload-day. Per workload over its days, then over workloads.",
    "*_oom_vs_*: OOM-days of ours over theirs, at equal slack. *_slack_vs_*, *_bytes_vs_*: slack and reserved bytes of "
    "ours over theirs, at equal risk. Ours is interpolated along its price of risk; nothing is extrapolated.",
    "low_churn_*: only rises over 10 % and falls over 20 % are made; low_churn_share is our "
    "highest churn at the three peers' slack. VPA: the stronger of the real one and one without its memory defect.",
    "hourly_*: CPU limits that follow the P90 of the newest 9 hours between daily decisions, at equal slack. Memory stays "
    "daily: its peaks give no warning (recommender/sizing/experts/in_place.py).",
    "target_*: realised over asked rate in each tercile of volatility (1 is exact), calm first. *_half: days 16 to 30. "
    "Whatever ours learns across workloads comes from other workloads (five folds).",
)


def comparisons(trial: Trial) -> Iterator[Figure]:
    """mem_*, mem7_*, cpu_*, cpu7_* and low_churn_* of one trial."""
    prefix = ("mem" if trial.resource == "memory" else "cpu") + ("" if trial.hold_days == 1 else str(trial.hold_days))
    risk = "oom" if trial.resource == "memory" else "throttling"
    for suffix, since in PERIODS.items():
        if since and trial.data_set != DATA_SET:
            continue  # shorter than a month: there is no second half to speak of
        for rival in trial.rivals:
            found = trial.against("sizewise", rival, since)
            yield f"{prefix}_{risk}_vs_{rival}{suffix}", found.risk
            yield f"{prefix}_slack_vs_{rival}{suffix}", found.slack
            yield (
                f"{prefix}_bytes_vs_{rival}{suffix}" if risk == "oom" else f"{prefix}_cores_vs_{rival}{suffix}",
                found.size,
            )
        if "low churn" in trial.curves and trial.resource == "memory":
            yield from low_churn(trial, suffix, since)


def low_churn(trial: Trial, suffix: str, since: int) -> Iterator[Figure]:
    found = {rival: trial.against("low churn", rival, since) for rival in trial.rivals}
    for rival, comparison in found.items():
        yield f"low_churn_oom_vs_{rival}{suffix}", comparison.risk
    yield f"low_churn_share{suffix}", max(comparison.churn for comparison in found.values())


@dataclass(frozen=True, slots=True)
class Targeted:
    """What became of a target rate. missed, groups: [n, days], the overrun of each day and the tercile of that morning."""

    name: str
    rate: float
    slack: float
    first_day: int
    missed: Array
    groups: Array

    def ratios(self) -> Iterator[tuple[str, float, float, float]]:
        """Per group and period: the figure's name, realised over asked rate, and the middle 95 % of it over draws of
        workloads."""
        for suffix, since in PERIODS.items():
            cut = max(0, since - self.first_day)
            for group in range(GROUPS):
                there = (self.groups[:, cut:] == group) & ~np.isnan(self.missed[:, cut:])
                missed, seen = np.where(there, self.missed[:, cut:], 0.0).sum(axis=1), there.sum(axis=1)
                times = np.random.default_rng(0).multinomial(len(seen), np.full(len(seen), 1 / len(seen)), _DRAWS)
                low, high = np.quantile((times @ missed) / (times @ seen), (0.025, 0.975)) / self.rate
                yield f"{self.name}_group{group + 1}{suffix}", missed.sum() / seen.sum() / self.rate, low, high


def targets(usage: Usage) -> Iterator[Targeted]:
    """Each target rate, replayed."""
    learner = Learner(usage.resource)
    name = "mem" if usage.resource == "memory" else "cpu"
    for rate in TARGETS:
        policy = _Watched(Target(learner, rate))
        found = outcome(replay(policy, usage), usage)
        missed = (found.overrun if usage.resource == "memory" else found.throttled)[:, :, 0]
        groups = np.stack(policy.groups, axis=1)
        yield Targeted(f"{name}_target_{rate * 100:g}", rate, score(found).slack, found.first_day, missed, groups)


def target_figures(done: Targeted) -> Iterator[Figure]:
    """Realised over asked rate per volatility group, whole month and second half."""
    yield f"{done.name}_slack", done.slack
    for name, ratio, _, _ in done.ratios():
        yield name, float(ratio)


def target_intervals(done: Targeted) -> str:
    """How far the rates of the groups are known: a group of a third of the workloads has few overruns."""
    known = ", ".join(
        f"{name.removeprefix(done.name + '_')} {low:.2f} to {high:.2f}" for name, _, low, high in done.ratios()
    )
    return f"{done.name}_*, 95 % of draws of workloads: {known}"


class _Watched:
    """A target policy that remembers the volatility groups of every decision."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.groups: list[Array] = []

    @property
    def name(self) -> str:
        return self.target.name

    def decide(self, past: Past) -> Array:
        limits = self.target.decide(past)
        self.groups.append(self.target.groups())
        return limits


def intervals(trial: Trial) -> Iterator[str]:
    """One sentence per rival: the risk ratio with its bootstrap interval over workloads."""
    for rival in trial.rivals:
        found: Comparison = trial.against("sizewise", rival)
        yield (
            f"{trial.resource}, {trial.hold_days} d, {found.peer}: risk at equal slack x{found.risk:.2f} "
            f"(95 % of draws of workloads: {found.low:.2f} to {found.high:.2f})"
        )
