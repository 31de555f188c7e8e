"""Scores as Autopilot's evaluation defines them (EuroSys'20, 4.1): per workload over its days, then over workloads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.backtest.replay import Decisions
from recommender.backtest.usage import Usage, daily_p95

CHURN_RATIO = 0.05
"""A limit that moves by more than this is a change."""
MIN_SAMPLES_RATIO = 0.5
"""A day with fewer of its samples says too little and is left out."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of every decision on every day it was held: arrays [n, decisions, days held], NaN where left out.

    slack:     clip((mean limit - P95 of the day) / mean limit, 0, 1)
    overrun:   1 when any sample of the day was above the limit in force (memory: an OOM-day)
    throttled: share of the day's samples above the limit in force
    churn:     changes of the limit per day, [n, decisions] (the last decision has no successor and is left out)
    limit:     mean limit of the day
    p95:       P95 of the day's samples
    """

    first_day: int
    slack: Array
    overrun: Array
    throttled: Array
    churn: Array
    limit: Array
    p95: Array

    def since(self, day: int) -> Outcome:
        """Only the decisions taken for `day` and later."""
        cut = max(0, day - self.first_day)
        parts = (self.slack, self.overrun, self.throttled, self.churn, self.limit, self.p95)
        return Outcome(self.first_day + cut, *(part[:, cut:] for part in parts))


@dataclass(frozen=True, slots=True)
class Score:
    """Means over workloads: shares 0 to 1, except `size_ratio`: sum of limits over sum of P95 usage."""

    slack: float
    overrun: float
    throttled: float
    churn: float
    size_ratio: float

    def risk(self, resource: str) -> float:
        """What a limit that is too small costs: OOM-days for memory, throttled time for CPU."""
        return self.overrun if resource == "memory" else self.throttled


def outcome(decisions: Decisions, usage: Usage, hold_days: int = 1) -> Outcome:
    """Hold each decision for `hold_days` from its day on (`usage` in blocks of a day). Held windows overlap."""
    starts = usage.blocks - decisions.first_day - hold_days + 1
    held = [_held(decisions, usage, offset, starts) for offset in range(hold_days)]
    slack, overrun, throttled, limit, p95 = (np.stack(part, axis=2) for part in zip(*held, strict=True))
    return Outcome(decisions.first_day, slack, overrun, throttled, _churn(decisions, starts, hold_days), limit, p95)


def _held(decisions: Decisions, usage: Usage, offset: int, starts: int) -> tuple[Array, Array, Array, Array, Array]:
    """Slack, overrun, throttled, limit and P95, [n, starts], of the day `offset` days after each decision's first."""
    first = decisions.first_day + offset
    samples = usage.samples[:, first : first + starts]
    limits = decisions.limits[:, :starts]
    n, _, slots = samples.shape
    counted = np.sum(~np.isnan(samples), axis=2)
    above = samples.reshape(n, starts, limits.shape[2], -1) > limits[..., None]
    throttled = above.sum(axis=(2, 3)) / np.maximum(counted, 1)
    p95 = usage.per_block(daily_p95)[:, first : first + starts]
    limit = limits.mean(axis=2)
    left_out = counted < slots * MIN_SAMPLES_RATIO
    slack = np.clip(1 - p95 / limit, 0, 1)
    columns = (slack, (throttled > 0).astype(float), throttled, limit, p95)
    slack, overrun, throttled, limit, p95 = (np.where(left_out, np.nan, column) for column in columns)
    return slack, overrun, throttled, limit, p95


def _churn(decisions: Decisions, starts: int, hold_days: int) -> Array:
    """Moves by more than 5 % per day, counted where a decision's successor is known. [n, starts]"""
    n, days, parts = decisions.limits.shape
    flat = decisions.limits.reshape(n, -1)
    step = parts * hold_days if hold_days > 1 else 1
    moved = np.full(flat.shape, np.nan)
    moved[:, :-step] = np.abs(flat[:, step:] / flat[:, :-step] - 1) > CHURN_RATIO
    with_successor = moved.reshape(n, days, parts)[:, :starts]
    return np.asarray(with_successor.mean(axis=2) * parts / hold_days)


def score(outcome: Outcome, rows: Array | None = None) -> Score:
    """Scores of these workloads (all of them when None; a row may repeat: bootstrap)."""
    means = per_workload(outcome)
    chosen = slice(None) if rows is None else rows
    slack, overrun, throttled, churn, limit, p95 = (float(mean(part[chosen][None])[0]) for part in means)
    return Score(slack, overrun, throttled, churn, limit / p95)


def per_workload(outcome: Outcome) -> tuple[Array, ...]:
    """Slack, overrun, throttled, churn, limit and P95 of each workload over its days. [n] each.

    Workloads differ in days by 14 of 11,201 at most, so the ratio of means of limit and P95 is the ratio of sums.
    """
    parts = (outcome.slack, outcome.overrun, outcome.throttled, outcome.churn, outcome.limit, outcome.p95)
    return tuple(mean(part.reshape(part.shape[0], -1)) for part in parts)


def mean(values: Array) -> Array:
    """Mean of each row without NaN; NaN for a row of nothing but NaN."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
