"""Limits beside requests, and what they do to the Kubernetes QoS class."""

from __future__ import annotations

import numpy as np

from models.columns import Array
from models.profile import CPU
from models.reasons import Reason
from recommender.sizing.bounds import Bounds
from recommender.sizing.estimate import flag
from recommender.sizing.policy_columns import LIMITS, PolicyColumns
from recommender.sizing.usage import Usage

_SAME = 0.01
"""A limit within 1 % of its request is equal to it: a request read back from cpu.weight is rounded."""


def limit_targets(bounds: Bounds, usage: Usage, policy: PolicyColumns) -> Array:
    """The limit for each target, [n, 2]; NaN: none is set now, or policy drops it."""
    choice = policy["limits"][:, None]
    limits = np.where(choice == LIMITS.index("equal-request"), bounds.target, _keep_ratio(bounds, usage, policy))
    dropped = np.broadcast_to(choice[:, 0] == LIMITS.index("drop-cpu-limit"), (len(usage),))
    limits[:, CPU] = np.where(dropped, np.nan, limits[:, CPU])
    largest = bounds.target * policy.both("max_limit_request_ratio")
    return np.where(limits > largest, largest, limits)


def qos_change(bounds: Bounds, limits: Array, usage: Usage) -> Array:
    """QOS_CHANGES, [n, 1] uint64, where a workload would become Guaranteed (request = limit for both resources) or stop
    being it. Only where requests are known: elsewhere there is no class to keep."""
    known = ~np.isnan(usage.request).any(axis=1)
    before = _equal(usage.request, usage.limit).all(axis=1)
    after = _equal(np.where(np.isnan(bounds.target), usage.request, bounds.target), limits).all(axis=1)
    return flag(known & (before != after), Reason.QOS_CHANGES)[:, None]


def _keep_ratio(bounds: Bounds, usage: Usage, policy: PolicyColumns) -> Array:
    """Target times the present limit over request. With no request known, a limit only ever rises; so does the CPU limit
    of a workload that it throttles, whose demand is not known."""
    ratio = np.where(_equal(usage.request, usage.limit), 1.0, np.maximum(usage.limit / usage.request, 1.0))
    limits = np.where(np.isnan(usage.request), np.maximum(usage.limit, bounds.target), bounds.target * ratio)
    limits = np.where(np.isnan(bounds.target), usage.limit, limits)
    throttled = usage.throttled > policy["cpu_throttled_ratio"]
    limits[:, CPU] = np.where(throttled, np.fmax(limits[:, CPU], usage.limit[:, CPU]), limits[:, CPU])
    return limits


def _equal(request: Array, limit: Array) -> Array:
    equal: Array = np.abs(limit - request) <= _SAME * request
    return equal
