"""What became of changes: a request that was lowered and hurt is proposed to be given back.

A change is seen where it takes effect, in the request that telemetry reports, whoever made it. What hurts is an OOM kill,
or throttling, within policy's `undo_days` after the change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from models.reasons import Reason
from recommender.sizing.bounds import Bounds
from recommender.sizing.estimate import flag
from recommender.sizing.policy_columns import PolicyColumns, pair
from recommender.sizing.standing import Standing
from recommender.sizing.usage import DAY_MS, Usage

_NOISE = 0.02
"""A request read back from cpu.weight is rounded: a smaller step is no change."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The newest change of each request, [n, 2]: the one before it (NaN: none seen), and when (0: never)."""

    before: Array
    at_ms: Array


def seen_changes(standing: Standing, usage: Usage) -> Changes:
    """With what the newest telemetry says of requests."""
    moved = np.abs(usage.request - standing.request) > _NOISE * standing.request
    return Changes(
        np.where(moved, standing.request, standing.request_before),
        np.where(moved, usage.at_ms, standing.request_changed_ms),
    )


def undone(bounds: Bounds, changes: Changes, usage: Usage, policy: PolicyColumns) -> Bounds:
    """At least the request before, where it was lowered and that hurt. It ends `undo_days` after the change."""
    recent = (changes.at_ms > 0) & (usage.at_ms - changes.at_ms <= policy.both("undo_days") * DAY_MS)
    lowered = recent & (usage.request < changes.before)
    killed = usage.last_oom_ms >= changes.at_ms[:, 1]
    throttled = (usage.throttled > policy["cpu_throttled_ratio"]) | (usage.told.throttled_ms >= changes.at_ms[:, 0])
    hurt = lowered & pair(throttled, killed)
    back = hurt & (changes.before > bounds.target)
    target = np.where(back, changes.before, bounds.target)
    lower = np.where(back, changes.before, bounds.lower)
    return Bounds(lower, target, np.fmax(bounds.upper, target), bounds.reasons | flag(back, Reason.UNDO))
