"""One slab of profiles in, its recommendations out. Pure: the same input gives the same bytes."""

from __future__ import annotations

import numpy as np

from models.columns import Array, Columns
from models.profile import PEAK_DAYS
from models.reasons import Action, Reason
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.sizing.bounds import Bounds, estimate_bounds
from recommender.sizing.estimate import flag
from recommender.sizing.expected import Expected
from recommender.sizing.feedback import judged, seen_changes, undone
from recommender.sizing.limits import limit_targets, qos_change
from recommender.sizing.outlook import expected_slack, overrun_risk
from recommender.sizing.past_days import with_today
from recommender.sizing.policy import apply_policy, since_ms
from recommender.sizing.policy_columns import PolicyColumns
from recommender.sizing.standing import Standing
from recommender.sizing.told import Told
from recommender.sizing.usage import DAY_MS, Usage, draw_usage

_CASES = (
    (Action.INSUFFICIENT, Reason(0)),
    (Action.SET, Reason.NO_REQUEST_KNOWN),
    (Action.LEAVE, Reason.WITHIN_BOUNDS),
    (Action.LEAVE, Reason.HYSTERESIS),
    (Action.RAISE, Reason(0)),
    (Action.LOWER, Reason(0)),
)
"""What may be done, the first that fits, and the reason that comes with it."""
_ACTIONS = np.array([action for action, _ in _CASES], dtype=np.uint8)
_ACTION_REASONS = np.array([reason for _, reason in _CASES], dtype=np.uint64)


def decide(
    profiles: Columns,
    previous: Columns | None,
    policy: PolicyColumns,
    at_ms: int | None = None,
    expected: Expected | None = None,
    may_lower: Array | None = None,
    told: Told | None = None,
) -> Columns:
    """Recommendations for rows of the profile table, in their order.

    previous: what was recommended for (some of) these workloads before; None: nothing.
    expected: what the experts ask for, row by row; None: nothing, so plain rules serve.
    may_lower: [n] whether the change budget lets a target be lowered; None: all.
    told:     what events told of them; None: nothing.
    at_ms:    the time decided for; None: the newest evidence among the rows.
    A slab is decided at a time: 256 rows stay in the cache.
    """
    if at_ms is None:
        at_ms = int(profiles["last_seen_ms"].max(initial=0))
    usage = draw_usage(profiles, policy, at_ms, told)
    expected = expected or Expected.nothing(len(usage))
    standing = Standing.of(previous, profiles.workloads)
    changes = seen_changes(standing, usage)
    estimate = estimate_bounds(usage, policy, expected)
    bounds = apply_policy(undone(estimate, changes, usage, policy), usage, standing, policy, may_lower)
    limits = limit_targets(bounds, usage, policy)
    action, reasons = _act(bounds, usage, policy)
    reasons = reasons | qos_change(bounds, limits, usage) | _stale(usage, policy)
    arrays = {
        "computed_ms": np.full(len(usage), at_ms),
        "changed_ms": standing.changed(action, reasons, bounds.target, limits, at_ms),
        "action": action,
        "reasons": reasons,
        "estimate": estimate.target,
        "target": bounds.target,
        "target_since_ms": since_ms(bounds, usage, standing),
        "lower": bounds.lower,
        "upper": bounds.upper,
        "limit_target": limits,
        "expected_slack_ratio": expected_slack(bounds.target, usage),
        "overrun_risk_ratio": overrun_risk(bounds.target, usage),
        "request_before": changes.before,
        "request_changed_ms": changes.at_ms,
        "applied_ms": changes.applied_ms,
        "outcome": judged(changes, bounds, usage, policy),
        "lowered_ms": np.where(bounds.target < standing.size(usage), at_ms, standing.lowered_ms),
        **_evidence(profiles, usage, policy),
        **expected.columns(),
        **with_today(previous, profiles.workloads, at_ms, usage.request, bounds.target),
    }
    typed = {field.name: arrays[field.name].astype(field.dtype, copy=False) for field in RECOMMENDATION_FIELDS}
    return Columns(RECOMMENDATION_FIELDS, profiles.workloads, typed)


def _evidence(profiles: Columns, usage: Usage, policy: PolicyColumns) -> dict[str, Array]:
    """What was seen, as it stands in a recommendation."""
    return {
        "evidence_from_ms": np.maximum(profiles["first_seen_ms"], usage.last_seen_ms - PEAK_DAYS * DAY_MS),
        "evidence_to_ms": usage.last_seen_ms,
        "confidence": np.minimum(usage.days / policy["history_days"], 1.0),
        "request_now": usage.request,
        "limit_now": usage.limit,
        "usage_p50": usage.p50,
        "usage_p95": usage.p95,
        "usage_peak": usage.peak,
        "runs": usage.runs.count,
        "start_peak": usage.runs.start,
        "steady_peak": usage.runs.steady,
    }


def _act(bounds: Bounds, usage: Usage, policy: PolicyColumns) -> tuple[Array, Array]:
    """Action [n, 2] and reasons with those of the action added."""
    target, request = bounds.target, usage.request
    unknown, unsaid = np.isnan(request), np.isnan(target)
    near = (np.abs(target - request) <= policy.both("hysteresis_ratio") * request) & (request >= bounds.lower)
    inside = (request >= bounds.lower) & (request <= bounds.upper)
    case = np.select([unsaid, unknown, inside, near, request < bounds.lower], [0, 1, 2, 3, 4], 5)
    return _ACTIONS[case], bounds.reasons | _ACTION_REASONS[case]


def _stale(usage: Usage, policy: PolicyColumns) -> Array:
    seen = usage.last_seen_ms > 0  # a workload may have GPU telemetry alone
    silent = seen & (usage.at_ms - usage.last_seen_ms > policy["stale_after_days"] * DAY_MS)
    return flag(silent, Reason.STALE)[:, None]
