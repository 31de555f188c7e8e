"""Small estimators over columns, each one thought: a percentile, a peak, a margin, an OOM kill, growth, confidence.

After Kubernetes VPA's tower of decorators (pkg/recommender/logic/estimator.go): every function takes an estimate and
returns one, so a tower is their composition and its reasons add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from models.reasons import Reason
from recommender.sizing.usage import AGES, DAY_MS, Usage, sum_days

RECENT_DAYS = 3
"""A peak older than this no longer moves VPA's target (half-life 24 h, P90 of peaks); ours is kept, and noted when it is
a tenth above the newer ones."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """value: [n] cores or bytes, NaN where nothing was seen; reasons: [n] uint64 of models.reasons.Reason."""

    value: Array
    reasons: Array

    def because(self, where: Array, value: Array, reason: Reason) -> Estimate:
        """The other value, and the reason for it, where a condition holds."""
        return Estimate(np.where(where, value, self.value), self.reasons | flag(where, reason))


def flag(where: Array, reason: Reason) -> Array:
    """The bit of a reason where a condition holds, as uint64."""
    bits: Array = where * np.uint64(reason)
    return bits


def cpu_percentile(usage: Usage, level: int) -> Estimate:
    """CPU at one of policy's three percentiles (column of Usage.cpu_levels)."""
    value = usage.cpu_levels[:, level]
    return Estimate(value, flag(~np.isnan(value), Reason.PERCENTILE))


def memory_peak(usage: Usage, overrun_days_ratio: Array) -> Estimate:
    """The highest daily peak that policy does not allow to be exceeded.

    With a ratio r and d days seen, the floor(r * d) highest peaks may be exceeded: 0.1 of 32 days are 3 days.
    """
    recent = np.fmax.reduce(usage.peaks[:RECENT_DAYS], axis=0)
    estimate = Estimate(usage.highest, flag(usage.peak_days > 0, Reason.PEAK))
    skipped = np.floor(overrun_days_ratio * usage.peak_days + 1e-9).astype(np.intp)
    if skipped.any():
        skipped = np.minimum(skipped, np.maximum(usage.peak_days - 1, 0))
        falling = -np.sort(-usage.peaks, axis=0)  # NaN last
        allowed = np.take_along_axis(falling, skipped[None, :], axis=0)[0]
        estimate = estimate.because(skipped > 0, allowed, Reason.OVERRUN_ALLOWED)
    kept = 0.9 * estimate.value > np.where(np.isnan(recent), 0.0, recent)
    return estimate.because(kept, estimate.value, Reason.WEEKLY_PEAK)


def of_runs(base: Estimate, usage: Usage, overrun_ratio: Array) -> Estimate:
    """Memory of a job: of its newest 16 runs, which may lie further apart than the days in view. Where policy allows
    overruns they are counted in runs."""
    if not usage.runs.count.any():
        return base
    runs = usage.runs.memory(overrun_ratio)
    value = np.where(np.broadcast_to(overrun_ratio > 0, runs.shape), runs, np.fmax(runs, base.value))
    return base.because(~np.isnan(runs), value, Reason.RUNS)


_START_RATIO = 1.1
"""Peaks of the start this much above the later ones are called so."""


def start_up(usage: Usage) -> Array:
    """START_UP, [n, 2] uint64, where instances need more while they start."""
    return flag(usage.runs.start > _START_RATIO * usage.runs.steady, Reason.START_UP)


def covering_start(base: Estimate, usage: Usage, resource: int, wanted: Array) -> Estimate:
    """At least what instances of a service needed to start, where `wanted`: each roll-out needs it anew. Of a job the
    start is part of its runs. Peaks of starts are kept rounded up; never more than was seen."""
    start = np.fmin(usage.runs.start[:, resource], usage.peak[:, resource])
    kept = wanted & (usage.runs.count == 0) & (start > base.value)
    return base.because(kept, start, Reason.START_UP)


def highest_day(base: Estimate, usage: Usage, margin: Array) -> Estimate:
    """CPU under a week: the highest daily P95 + margin, from the first finished day on (experts.cold)."""
    known = ~np.isnan(usage.cpu_day_p95)
    return base.because(known, usage.cpu_day_p95 * (1.0 + margin), Reason.PERCENTILE)


def from_experts(base: Estimate, limit: Array) -> Estimate:
    """What the experts ask for instead, where they know the workload; the reasons of the plain rule go with it."""
    known = ~np.isnan(limit)
    reasons = np.where(known, np.uint64(Reason.EXPERTS), base.reasons)
    return Estimate(np.where(known, limit, base.value), reasons)


def at_least_peak(base: Estimate, peak: Estimate) -> Estimate:
    """Never below the peak that policy does not allow to be exceeded; its reasons are kept either way."""
    kept = Estimate(base.value, base.reasons | peak.reasons & ~np.uint64(Reason.PEAK))
    return kept.because(peak.value > base.value, peak.value, Reason.PEAK)


def with_peak_of_today(base: Estimate, usage: Usage, limit: Array, margin: Array) -> Estimate:
    """A peak of the running day above what the experts expected, with the plain margin."""
    today = usage.peaks[0]
    return base.because(
        (today > limit) & (today * (1.0 + margin) > base.value), today * (1.0 + margin), Reason.ABOVE_EXPECTED
    )


def with_margin(base: Estimate, ratio: Array) -> Estimate:
    return Estimate(base.value * (1.0 + ratio), base.reasons | flag((ratio > 0) & ~np.isnan(base.value), Reason.MARGIN))


def with_throttling(base: Estimate, usage: Usage, from_ratio: Array, max_raise: Array) -> Estimate:
    """A workload that its limit stops in a share t of periods wanted more than was seen: t is added, up to a bound."""
    raised = base.value * (1.0 + np.minimum(usage.throttled, max_raise))
    return base.because((usage.throttled > from_ratio) & ~np.isnan(base.value), raised, Reason.THROTTLED)


def with_growth(base: Estimate, usage: Usage, days: Array, max_ratio: Array) -> Estimate:
    """Steady growth of daily peaks, carried on for some days; see `growth_per_day`. Where the median day grows as
    steadily, memory that is taken is not given back: a leak."""
    added = np.minimum(growth_per_day(usage.peaks, usage.highest) * days, max_ratio * base.value)
    grown = base.because(added > 0, base.value + added, Reason.GROWING)
    leaking = (added > 0) & (growth_per_day(usage.medians, usage.highest) > 0)
    return Estimate(grown.value, grown.reasons | flag(leaking, Reason.LEAK))


def with_seen_at_kill(base: Estimate, usage: Usage, recent: Array) -> Estimate:
    """At least the memory seen at an OOM kill: that much was too little."""
    killed = recent & (usage.oom_peak > base.value)
    return base.because(killed, usage.oom_peak, Reason.OOM_BUMP)


def with_oom_bump(base: Estimate, usage: Usage, recent: Array, bump: tuple[Array, Array, Array]) -> Estimate:
    """At least min(max(seen * (1 + ratio), seen + least), seen * (1 + most)) after an OOM kill; bump = (ratio, least, most).

    `seen` is memory measured at the kill, never a size that was recommended, so a bump cannot feed on itself.
    """
    ratio, least, most = bump
    seen = np.where(np.isnan(usage.oom_peak), usage.highest, usage.oom_peak)
    bumped = np.minimum(np.maximum(seen * (1.0 + ratio), seen + least), seen * (1.0 + most))
    return base.because(recent & (bumped > base.value), bumped, Reason.OOM_BUMP)


def widened_up(base: Estimate, usage: Usage) -> Estimate:
    """times (1 + 1 / (d + 0.25)) for d days of history: nothing is called waste before a day was seen.

    No history x5, 1 h x4.43, 12 h x2.33, 1 d x1.8, 7 d x1.14. VPA's formula lacks the 0.25 and begins at infinity.
    """
    return Estimate(base.value * (1.0 + 1.0 / (usage.days + 0.25)), base.reasons)


def widened_down(base: Estimate, usage: Usage) -> Estimate:
    """times (1 + 0.02 / (d + 0.02))^-2 for d days of history: a shortage shows sooner than waste.

    No history x0.25, 1 h x0.57, 12 h x0.93, 1 d x0.96, 7 d x0.99. VPA's lower bound begins at 0.
    """
    spread = 1.0 + 0.02 / (usage.days + 0.02)
    return Estimate(base.value / (spread * spread), base.reasons)


def recently_killed(usage: Usage, days: Array) -> Array:
    """Whether the newest OOM kill is at most this old, [n]."""
    return recently(usage.last_oom_ms, usage, days)


def recently(time_ms: Array, usage: Usage, days: Array) -> Array:
    """Whether something happened, and at most this long ago, [n]."""
    recent: Array = (time_ms > 0) & (usage.at_ms - time_ms <= days * DAY_MS)
    return recent


MIN_GROWTH_DAYS = 4
MIN_GROWTH_FIT = 0.8
MIN_GROWTH_RATIO = 0.01


def growth_per_day(peaks: Array, highest: Array) -> Array:
    """Growth of daily peaks in bytes a day, [n], by least squares over finished days; 0 where nothing grows steadily.

    peaks [PEAK_DAYS, n] by age and their highest [n]. The running day is left out, because its peak is yet to come.
    Steady: at least 4 days, r^2 at least 0.8, and at least 1 % of the highest peak a day. A saw-tooth of restarts fits
    no line.
    """
    finished = peaks[1:] / np.fmax(highest, 1.0)
    seen = ~np.isnan(finished)
    y, x = np.where(seen, finished, 0.0), -AGES[1:].astype(np.float64)
    x, weight = x[:, None], seen.astype(np.float64)
    count, sum_x, sum_xx = sum_days(weight), sum_days(weight * x), sum_days(weight * (x * x))
    sum_y, sum_xy, sum_yy = sum_days(y), sum_days(y * x), sum_days(y * y)
    n = np.maximum(count, 1.0)
    var_x, var_y, cov = sum_xx - sum_x**2 / n, sum_yy - sum_y**2 / n, sum_xy - sum_x * sum_y / n
    slope = cov / np.where(var_x > 0, var_x, 1.0)
    fit = cov * cov / np.where(var_x * var_y > 0, var_x * var_y, 1.0)
    steady = (count >= MIN_GROWTH_DAYS) & (fit >= MIN_GROWTH_FIT) & (slope >= MIN_GROWTH_RATIO)
    return np.where(steady, slope * highest, 0.0)
