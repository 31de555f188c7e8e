"""Policy after estimation: floors and caps, steps, hysteresis, cool-down. Each step takes bounds and returns bounds.

Applying it again to what it gave changes nothing. Only a cap that was set goes below a memory peak.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.columns import Array
from models.profile import MEMORY
from models.reasons import Reason
from recommender.sizing.bounds import Bounds
from recommender.sizing.estimate import flag, recently_killed
from recommender.sizing.policy_columns import PolicyColumns
from recommender.sizing.usage import DAY_MS, Usage


@dataclass(frozen=True, slots=True)
class Standing:
    """What was recommended before: target [n, 2], NaN for none, and since_ms [n, 2] from when it stands."""

    target: Array
    since_ms: Array


def apply_policy(bounds: Bounds, usage: Usage, standing: Standing, policy: PolicyColumns) -> Bounds:
    """Bounds that may be acted on, from those that usage asks for."""
    bounds = keep_present(bounds, usage, policy)
    bounds = limit_step(bounds, usage, policy)
    bounds = fit(bounds, policy)
    bounds = hold(bounds, usage, standing, policy)
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
    """Not below the present request while history is short, nor memory soon after an OOM kill."""
    falls = bounds.target < usage.request
    young = (usage.days < policy["lower_after_days"])[:, None] & falls
    cooling = np.zeros_like(falls)
    cooling[:, MEMORY] = recently_killed(usage, policy["oom_cool_down_days"]) & falls[:, MEMORY]
    target = np.where(young | cooling, usage.request, bounds.target)
    reasons = bounds.reasons | flag(young, Reason.SHORT_HISTORY) | flag(cooling, Reason.COOL_DOWN)
    return replace(bounds, target=target, reasons=reasons)


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


def since_ms(bounds: Bounds, usage: Usage, standing: Standing) -> Array:
    """From when the target stands, [n, 2] int64; 0 without a target."""
    same = bounds.target == standing.target
    since = np.where(same, standing.since_ms, usage.at_ms)
    return np.where(np.isnan(bounds.target), 0, since)
