"""The two towers: what usage alone asks for, as target and bounds of both resources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from models.profile import CPU, MEMORY
from models.reasons import Reason
from recommender.sizing.estimate import (
    Estimate,
    at_least_peak,
    covering_start,
    cpu_percentile,
    flag,
    from_experts,
    highest_day,
    memory_peak,
    of_runs,
    recently_killed,
    start_up,
    widened_down,
    widened_up,
    with_growth,
    with_margin,
    with_oom_bump,
    with_peak_of_today,
    with_seen_at_kill,
    with_throttling,
)
from recommender.sizing.expected import Expected
from recommender.sizing.policy_columns import START_UP, PolicyColumns, pair
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


def estimate_bounds(usage: Usage, policy: PolicyColumns, expected: Expected | None = None) -> Bounds:
    """Bounds from usage, before policy. Rows with fewer than policy's `min_rows`, or without the signal, are NaN.

    The experts are asked where they know a workload; until then plain rules serve: percentile and peak, with a margin.
    """
    limits = (expected or Expected.nothing(len(usage))).limit
    cpu, memory = _cpu(usage, policy, limits[:, CPU]), _memory(usage, policy, limits[:, MEMORY])
    lower, target, upper = (pair(c.value, m.value) for c, m in zip(cpu, memory, strict=True))
    reasons = pair(cpu[1].reasons, memory[1].reasons)
    young = usage.days < policy["lower_after_days"]
    reasons = reasons | flag(young, Reason.SHORT_HISTORY)[:, None] | start_up(usage)
    return _without_evidence(Bounds(lower, target, upper, reasons).ordered(), usage, policy)


def _cpu(usage: Usage, policy: PolicyColumns, limit: Array) -> tuple[Estimate, Estimate, Estimate]:
    """Compressible. The lower bound is a percentile without margin, the upper one has all of it. A start that is short of
    CPU takes longer; policy says whether it may."""
    held_back = policy["cpu_throttled_ratio"], policy["cpu_throttled_max_raise_ratio"]
    margin = policy["cpu_margin_ratio"]
    plain = highest_day(with_margin(cpu_percentile(usage, _TARGET), margin), usage, margin)
    target = with_throttling(from_experts(plain, limit), usage, *held_back)
    target = covering_start(target, usage, CPU, policy["cpu_start_up"] == START_UP.index("cover"))
    upper = with_margin(with_throttling(cpu_percentile(usage, _UPPER), usage, *held_back), margin)
    upper = Estimate(np.fmax(upper.value, target.value), upper.reasons)
    return widened_down(cpu_percentile(usage, _LOWER), usage), target, widened_up(upper, usage)


def _memory(usage: Usage, policy: PolicyColumns, limit: Array) -> tuple[Estimate, Estimate, Estimate]:
    """Incompressible: never below the peak, which is the lower bound; growth and an OOM kill add to it. A start that is
    short of memory never ends, so it is covered whatever share of days policy allows to be short."""
    killed = recently_killed(usage, policy["memory_peak_days"])
    bump = policy["oom_bump_ratio"], policy["oom_bump_min_bytes"], policy["oom_bump_max_ratio"]
    margin = policy["memory_margin_ratio"]
    allowed = policy["memory_overrun_days_ratio"]
    peak = covering_start(of_runs(memory_peak(usage, allowed), usage, allowed), usage, MEMORY, np.array([True]))
    growing = with_growth(peak, usage, policy["memory_growth_days"], policy["memory_growth_max_ratio"])
    bumped = with_oom_bump(growing, usage, killed, bump)
    plain = with_margin(bumped, margin)
    wanted = from_experts(plain, limit + (growing.value - peak.value))
    wanted = with_peak_of_today(at_least_peak(wanted, growing), usage, limit, margin)
    target = wanted.because(
        (bumped.value > growing.value) & (plain.value >= wanted.value), plain.value, Reason.OOM_BUMP
    )
    return with_seen_at_kill(peak, usage, killed), target, widened_up(target, usage)


def _without_evidence(bounds: Bounds, usage: Usage, policy: PolicyColumns) -> Bounds:
    unseen = ~usage.seen | np.isnan(bounds.target)
    few = (usage.rows < policy["min_rows"])[:, None]
    none = unseen | few
    reasons = flag(unseen, Reason.SIGNAL_MISSING) | flag(few, Reason.SHORT_HISTORY)
    lower, target, upper = (np.where(none, np.nan, value) for value in (bounds.lower, bounds.target, bounds.upper))
    return Bounds(lower, target, upper, np.where(none, reasons, bounds.reasons))
