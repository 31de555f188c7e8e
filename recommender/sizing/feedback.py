"""What became of changes: those that followed a recommendation are judged, and a request that was lowered and hurt is
proposed to be given back.

A change is seen where it takes effect, in the request that telemetry reports, whoever made it. It followed the
recommendation when the new request is the target that stood. What hurts is an OOM kill, an eviction or throttling within
policy's `undo_days` after the change. Judging reads usage and what happened, never an earlier judgement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from models.outcome import Outcome
from models.reasons import Reason
from recommender.sizing.bounds import Bounds
from recommender.sizing.estimate import flag
from recommender.sizing.policy_columns import PolicyColumns, pair
from recommender.sizing.standing import Standing
from recommender.sizing.usage import DAY_MS, Usage

_NOISE = 0.02
"""A request read back from cpu.weight is rounded: a smaller step is no change."""
_FOLLOWED = 0.05
"""A request within 5 % of the target that stood followed it: whoever applies it may round to whole MiB and millicores."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The newest change of each request, [n, 2]: the one before it (NaN: none seen), when (0: never), the computed_ms of the
    recommendation that it followed (0: none), and what was judged of it until now."""

    before: Array
    at_ms: Array
    applied_ms: Array
    outcome: Array

    def age_ms(self, usage: Usage) -> Array:
        """Since the change; only where there was one."""
        age: Array = usage.at_ms - self.at_ms
        return age


def seen_changes(standing: Standing, usage: Usage) -> Changes:
    """With what the newest telemetry says of requests."""
    moved = np.abs(usage.request - standing.request) > _NOISE * standing.request
    followed = np.abs(usage.request - standing.target) <= _FOLLOWED * standing.target
    applied_ms = np.where(followed, standing.computed_ms[:, None], 0)
    begun = np.where(followed, Outcome.WATCHED, Outcome.NONE).astype(np.uint8)
    return Changes(
        np.where(moved, standing.request, standing.request_before),
        np.where(moved, usage.at_ms, standing.request_changed_ms),
        np.where(moved, applied_ms, standing.applied_ms),
        np.where(moved, begun, standing.outcome),
    )


def undone(bounds: Bounds, changes: Changes, usage: Usage, policy: PolicyColumns) -> Bounds:
    """At least the request before, where it was lowered and that hurt. It ends `undo_days` after the change."""
    recent = (changes.at_ms > 0) & (changes.age_ms(usage) <= policy.both("undo_days") * DAY_MS)
    lowered = recent & (usage.request < changes.before)
    killed, evicted, throttled = _harm(changes, usage, policy)
    back = lowered & pair(throttled, killed | evicted) & (changes.before > bounds.target)
    target = np.where(back, changes.before, bounds.target)
    lower = np.where(back, changes.before, bounds.lower)
    return Bounds(lower, target, np.fmax(bounds.upper, target), bounds.reasons | flag(back, Reason.UNDO))


def judged(changes: Changes, bounds: Bounds, usage: Usage, policy: PolicyColumns) -> Array:
    """models.outcome.Outcome of each change, [n, 2]: at once when it hurts, else `undo_days` after it. One that was judged
    stays so until the next change."""
    watched = changes.outcome == Outcome.WATCHED
    over = changes.age_ms(usage) > policy.both("undo_days") * DAY_MS
    killed, evicted, throttled = _harm(changes, usage, policy)
    never = np.zeros(len(usage), dtype=bool)
    cases = (
        (~watched, changes.outcome),
        (over & (usage.request > bounds.upper), Outcome.WASTEFUL),
        (over, Outcome.FINE),
        (pair(never, killed), Outcome.OOM_KILLED),
        (pair(throttled, never), Outcome.THROTTLED),
        (pair(never, evicted), Outcome.EVICTED),
    )
    return np.select([where for where, _ in cases], [value for _, value in cases], Outcome.WATCHED).astype(np.uint8)


def _harm(changes: Changes, usage: Usage, policy: PolicyColumns) -> tuple[Array, Array, Array]:
    """OOM kills and evictions since memory was changed, throttling since CPU was, [n] each. Telemetry's throttling is a mean
    that remembers days, so it says something of a request that was lowered alone."""
    cpu_ms, memory_ms = changes.at_ms[:, 0], changes.at_ms[:, 1]
    lowered = usage.request[:, 0] < changes.before[:, 0]
    throttled = lowered & (usage.throttled > policy["cpu_throttled_ratio"]) | (usage.told.throttled_ms >= cpu_ms)
    return usage.last_oom_ms >= memory_ms, usage.told.evicted_ms >= memory_ms, throttled
