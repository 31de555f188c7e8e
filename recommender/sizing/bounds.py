"""The two towers: what usage alone asks for, as target and bounds of both resources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from models.reasons import Reason
from recommender.sizing.estimate import (
    Estimate,
    cpu_percentile,
    flag,
    memory_peak,
    recently_killed,
    widened_down,
    widened_up,
    with_growth,
    with_margin,
    with_oom_bump,
    with_seen_at_kill,
    with_throttling,
)
from recommender.sizing.policy_columns import PolicyColumns, pair
from recommender.sizing.usage import Usage

_LOWER, _TARGET, _UPPER = 0, 1, 2
"""Columns of Usage.cpu_levels."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """lower <= target <= upper, [n, 2] in cores and bytes, NaN where too little was seen; reasons [n, 2] uint64."""

    lower: Array
    target: Array
    upper: Array
    reasons: Array

    def ordered(self) -> Bounds:
        """The same target, with bounds that contain it."""
        return Bounds(
            np.minimum(self.lower, self.target), self.target, np.maximum(self.upper, self.target), self.reasons
        )


def estimate_bounds(usage: Usage, policy: PolicyColumns) -> Bounds:
    """Bounds from usage, before policy. Rows with fewer than policy's `min_rows`, or without the signal, are NaN."""
    cpu, memory = _cpu(usage, policy), _memory(usage, policy)
    lower, target, upper = (pair(c.value, m.value) for c, m in zip(cpu, memory, strict=True))
    reasons = pair(cpu[1].reasons, memory[1].reasons)
    young = usage.days < policy["lower_after_days"]
    reasons = reasons | flag(young, Reason.SHORT_HISTORY)[:, None]
    return _without_evidence(Bounds(lower, target, upper, reasons).ordered(), usage, policy)


def _cpu(usage: Usage, policy: PolicyColumns) -> tuple[Estimate, Estimate, Estimate]:
    """Compressible: a percentile with a margin. The lower bound has no margin, the upper one all of them."""
    held_back = policy["cpu_throttled_ratio"], policy["cpu_throttled_max_raise_ratio"]
    lower = cpu_percentile(usage, _LOWER)
    target, upper = (
        with_margin(with_throttling(cpu_percentile(usage, level), usage, *held_back), policy["cpu_margin_ratio"])
        for level in (_TARGET, _UPPER)
    )
    return widened_down(lower, usage), target, widened_up(upper, usage)


def _memory(usage: Usage, policy: PolicyColumns) -> tuple[Estimate, Estimate, Estimate]:
    """Incompressible: the peak, what an OOM kill and growth add, a margin. The peak itself is the lower bound."""
    killed = recently_killed(usage, policy["memory_peak_days"])
    bump = policy["oom_bump_ratio"], policy["oom_bump_min_bytes"], policy["oom_bump_max_ratio"]
    peak = memory_peak(usage, policy["memory_overrun_days_ratio"])
    growing = with_growth(peak, usage, policy["memory_growth_days"], policy["memory_growth_max_ratio"])
    target = with_margin(with_oom_bump(growing, usage, killed, bump), policy["memory_margin_ratio"])
    return with_seen_at_kill(peak, usage, killed), target, widened_up(target, usage)


def _without_evidence(bounds: Bounds, usage: Usage, policy: PolicyColumns) -> Bounds:
    unseen = ~usage.seen | np.isnan(bounds.target)
    few = (usage.rows < policy["min_rows"])[:, None]
    none = unseen | few
    reasons = flag(unseen, Reason.SIGNAL_MISSING) | flag(few, Reason.SHORT_HISTORY)
    lower, target, upper = (np.where(none, np.nan, value) for value in (bounds.lower, bounds.target, bounds.upper))
    return Bounds(lower, target, upper, np.where(none, reasons, bounds.reasons))
