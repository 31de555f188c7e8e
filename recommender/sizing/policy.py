"""Policy after estimation: floors and caps, steps, hysteresis, cool-down. Each step takes bounds and returns bounds.

Applying it again to what it gave changes nothing. Only a cap that was set goes below a memory peak.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.columns import Array
from models.profile import MEMORY
from models.reasons import Reason
from recommender.sizing.bounds import Bounds
from recommender.sizing.estimate import flag, recently, recently_killed
from recommender.sizing.policy_columns import AUTOSCALED, PolicyColumns
from recommender.sizing.standing import Standing
from recommender.sizing.usage import DAY_MS, Usage

AUTOSCALER_DAYS = np.array([2.0])
"""Whoever sees an autoscaler tells of it once a day, so that after two it is gone."""


def apply_policy(
    bounds: Bounds, usage: Usage, standing: Standing, policy: PolicyColumns, may_lower: Array | None = None
) -> Bounds:
    """Bounds that may be acted on, from those that usage asks for. may_lower [n]: None means all."""
    bounds = keep_present(leave_autoscaled(bounds, usage, policy), usage, policy)
    bounds = limit_step(bounds, usage, policy)
    bounds = fit(bounds, policy)
    bounds = hold(bounds, usage, standing, policy)
    if may_lower is not None:
        bounds = within_budget(bounds, standing.size(usage), may_lower)
    return fit(bounds, policy).ordered()


def fit(bounds: Bounds, policy: PolicyColumns) -> Bounds:
    """Floors and caps, for target and bounds alike."""
    floor = policy.pair("cpu_floor_cores", "memory_floor_bytes")
    cap = policy.pair("cpu_cap_cores", "memory_cap_bytes")
    reasons = bounds.reasons | flag(bounds.target < floor, Reason.FLOOR) | flag(bounds.target > cap, Reason.CAP)
    lower, target, upper = (
        np.minimum(np.maximum(value, floor), cap) for value in (bounds.lower, bounds.target, bounds.upper)
    )
    return Bounds(lower, target, upper, reasons)


def keep_present(bounds: Bounds, usage: Usage, policy: PolicyColumns) -> Bounds:
    """Not below the present request while history is short or soon after an eviction, nor memory after an OOM kill."""
    falls = bounds.target < usage.request
    young = (usage.days < policy["lower_after_days"])[:, None] & falls
    cooling = np.zeros_like(falls)
    cooling[:, MEMORY] = recently_killed(usage, policy["oom_cool_down_days"]) & falls[:, MEMORY]
    evicted = recently(usage.told.evicted_ms, usage, policy["oom_cool_down_days"])[:, None] & falls
    target = np.where(young | cooling | evicted, usage.request, bounds.target)
    reasons = bounds.reasons | flag(young, Reason.SHORT_HISTORY) | flag(cooling, Reason.COOL_DOWN)
    reasons = reasons | flag(evicted, Reason.EVICTED)
    return replace(bounds, target=target, reasons=reasons)


def leave_autoscaled(bounds: Bounds, usage: Usage, policy: PolicyColumns) -> Bounds:
    """A request that an autoscaler follows stays as it is; only an OOM kill still raises memory. Policy says what it
    follows; by default what was seen of late."""
    choice = policy["autoscaled"][:, None]
    follows = (choice == AUTOSCALED.index("both")) | (choice == [AUTOSCALED.index("cpu"), AUTOSCALED.index("memory")])
    follows = follows | (choice == AUTOSCALED.index("seen")) & recently(
        usage.told.autoscaled_ms, usage, AUTOSCALER_DAYS
    )
    killed = (bounds.reasons & np.uint64(Reason.OOM_BUMP) != 0) & (bounds.target > usage.request)
    kept = follows & ~np.isnan(usage.request) & ~np.isnan(bounds.target) & ~killed
    target, lower, upper = (
        np.where(kept, usage.request, value) for value in (bounds.target, bounds.lower, bounds.upper)
    )
    return Bounds(lower, target, upper, bounds.reasons | flag(kept, Reason.AUTOSCALED))


def limit_step(bounds: Bounds, usage: Usage, policy: PolicyColumns) -> Bounds:
    """Not further from the present request than one step; but never under the lower bound, where it would be starved."""
    highest = np.maximum(usage.request * (1.0 + policy.both("max_raise_ratio")), bounds.lower)
    lowest = usage.request * (1.0 - policy.both("max_lower_ratio"))
    above, below = bounds.target > highest, bounds.target < lowest
    target = np.where(above, highest, np.where(below, lowest, bounds.target))
    return replace(bounds, target=target, reasons=bounds.reasons | flag(above | below, Reason.MAX_STEP))


def hold(bounds: Bounds, usage: Usage, standing: Standing, policy: PolicyColumns) -> Bounds:
    """Keep the standing target when the change is small, or when it would be lowered too soon. Raised at once."""
    change = bounds.target - standing.target
    small = (np.abs(change) <= policy.both("hysteresis_ratio") * standing.target) & (standing.target >= bounds.lower)
    wait_days = np.minimum(policy["lower_interval_days"], 0.5 * usage.days)
    early = (change < 0) & (usage.at_ms - standing.since_ms < (wait_days * DAY_MS)[:, None])
    kept = (small | early) & (change != 0)
    reasons = bounds.reasons | flag(small & kept, Reason.HYSTERESIS) | flag(early & kept & ~small, Reason.COOL_DOWN)
    return replace(bounds, target=np.where(kept, standing.target, bounds.target), reasons=reasons)


def within_budget(bounds: Bounds, size: Array, may_lower: Array) -> Bounds:
    """Nothing lower than `size` [n, 2], what was asked for before, where the namespace has no change left."""
    kept = ~may_lower[:, None] & (bounds.target < size)
    target = np.where(kept, size, bounds.target)
    return replace(bounds, target=target, reasons=bounds.reasons | flag(kept, Reason.CHANGE_BUDGET))


def since_ms(bounds: Bounds, usage: Usage, standing: Standing) -> Array:
    """From when the target stands, [n, 2] int64; 0 without a target."""
    same = bounds.target == standing.target
    since = np.where(same, standing.since_ms, usage.at_ms)
    return np.where(np.isnan(bounds.target), 0, since)
