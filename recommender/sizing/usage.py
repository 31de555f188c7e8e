"""What a slab of profiles says that sizing asks for, drawn once: the input of every estimator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array, Columns
from models.histogram import from_log_code
from models.profile import CPU, DAY_LEVELS, MEMORY, PEAK_DAYS
from models.signals import CPU_SIGNALS
from recommender.sizing.distribution import Distribution
from recommender.sizing.job_runs import JobRuns
from recommender.sizing.policy_columns import PolicyColumns, pair
from recommender.sizing.told import Told

DAY_MS = 86_400_000
AGES = np.arange(PEAK_DAYS)
"""Days before a workload's newest day: the columns of daily peaks in here."""
_SIGNAL = {signal.name: place for place, signal in enumerate(CPU_SIGNALS)}
_MEDIAN = DAY_LEVELS.index(0.5)

PROFILE_FIELDS_READ = frozenset(
    {"first_seen_ms", "last_seen_ms", "covered_ms", "rows", "histogram", "day_histogram", "daily_peak", "daily_p95"}
    | {"daily_quantile", "newest_day", "signal_count", "signal_mean", "signal_peak", "signal_last", "oom_kills"}
    | {"last_oom_ms", "oom_peak", "runs", "run_peak", "run_start_peak"}
)
"""What is decoded of a profile: the rest, hours of the week above all, stays packed."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One row per workload.

    at_ms:         the time decided for: the newest evidence of the slab
    cpu:           decayed distribution of CPU samples
    cpu_levels:    [n, 3] CPU at the lower, target and upper percentile of policy
    peaks:         [PEAK_DAYS, n] highest memory by days of age; NaN where nothing was seen or policy does not look.
                   Days come first, because numpy reduces that axis many workloads at a time.
    peak_days:     [n] how many of them were seen
    highest:       [n] the highest of them
    cpu_day_p95:   [n] highest P95 of a finished day, NaN before the first
    medians:       [PEAK_DAYS, n] median memory by days of age; NaN for the running day too
    runs:          the runs of those that are jobs
    p50, p95, peak: [n, 2] usage per instance
    days:          [n] history in days: the shorter of its span and the time that rows describe
    request, limit: [n, 2] present ones, NaN for none or unknown
    told:          what events told, kills among them
    seen:          [n, 2] whether the resource's signal was ever there
    throttled:     [n] mean share of throttled CFS periods
    """

    at_ms: int
    cpu: Distribution
    cpu_levels: Array
    peaks: Array
    peak_days: Array
    highest: Array
    cpu_day_p95: Array
    medians: Array
    runs: JobRuns
    p50: Array
    p95: Array
    peak: Array
    days: Array
    request: Array
    limit: Array
    seen: Array
    throttled: Array
    rows: Array
    last_seen_ms: Array
    last_oom_ms: Array
    oom_peak: Array
    told: Told

    def __len__(self) -> int:
        return len(self.days)


def draw_usage(profiles: Columns, policy: PolicyColumns, at_ms: int, told: Told | None = None) -> Usage:
    """Draw it from rows of the profile table (at least PROFILE_FIELDS_READ of it), and from what events told."""
    told = told or Told.nothing(len(profiles))
    cpu = Distribution.of(profiles["histogram"][:, CPU], CPU)
    daily = profiles["daily_peak"].astype(np.float64)
    peak = np.fmax.reduce(daily, axis=2)
    peaks = _by_age(daily[:, MEMORY], profiles["newest_day"], policy["memory_peak_days"])
    cpu_values = np.minimum(cpu.quantiles(_levels(policy)), peak[:, CPU, None])
    memory = _memory_quantiles(profiles)
    return Usage(
        at_ms=at_ms,
        cpu=cpu,
        cpu_levels=cpu_values[:, :3],
        peaks=peaks,
        peak_days=np.count_nonzero(~np.isnan(peaks), axis=0),
        highest=np.fmax.reduce(peaks, axis=0),
        cpu_day_p95=np.fmax.reduce(profiles["daily_p95"][:, CPU].astype(np.float64), axis=1),
        medians=_by_age(_medians(profiles), profiles["newest_day"], policy["memory_peak_days"]),
        runs=JobRuns.of(profiles),
        p50=pair(cpu_values[:, 3], memory[0]),
        p95=pair(cpu_values[:, 4], memory[1]),
        peak=peak,
        days=_history_days(profiles),
        request=_last(profiles, "cpu_request_cores", "memory_request_bytes"),
        limit=_last(profiles, "cpu_limit_cores", "memory_limit_bytes"),
        seen=profiles["signal_count"][:, [_SIGNAL["cpu_cores"], _SIGNAL["memory_working_set_bytes"]]] > 0,
        throttled=np.nan_to_num(profiles["signal_mean"][:, _SIGNAL["cpu_throttled_ratio"]].astype(np.float64)),
        rows=profiles["rows"],
        last_seen_ms=profiles["last_seen_ms"],
        last_oom_ms=np.maximum(profiles["last_oom_ms"], told.killed_ms),
        oom_peak=profiles["oom_peak"].astype(np.float64),
        told=told,
    )


def largest_limits(profiles: Columns) -> Array:
    """The largest limit that each workload was ever seen with, [n, 2]; NaN for none or unknown."""
    peak = profiles["signal_peak"][:, [_SIGNAL["cpu_limit_cores"], _SIGNAL["memory_limit_bytes"]]].astype(np.float64)
    return np.where(peak > 0, peak, np.nan)


def _levels(policy: PolicyColumns) -> Array:
    """The five percentiles that one pass answers: policy's three, and the two that are reported, [n or 1, 5]."""
    names = ("cpu_lower_percentile", "cpu_target_percentile", "cpu_upper_percentile")
    wanted = np.stack([policy[name] for name in names], axis=1)
    return np.concatenate((wanted, np.broadcast_to((0.5, 0.95), (len(wanted), 2))), axis=1)


def _by_age(daily: Array, newest_day: Array, days: Array) -> Array:
    """[n, PEAK_DAYS] by day number modulo 32 into [PEAK_DAYS, n] by age, without those older than policy looks back."""
    column = (newest_day - AGES[:, None]) % PEAK_DAYS
    aged = daily.ravel()[np.arange(len(daily)) * PEAK_DAYS + column]
    return aged if days.min() >= PEAK_DAYS else np.where(days > AGES[:, None], aged, np.nan)


def _history_days(profiles: Columns) -> Array:
    span = profiles["last_seen_ms"] - profiles["first_seen_ms"]
    days: Array = np.maximum(np.minimum(span, profiles["covered_ms"]), 0) / DAY_MS
    return days


def _medians(profiles: Columns) -> Array:
    """Median memory of finished days, [n, PEAK_DAYS] by day number modulo 32."""
    return from_log_code(np.ascontiguousarray(profiles["daily_quantile"][:, MEMORY, :, _MEDIAN]))


def _last(profiles: Columns, cpu: str, memory: str) -> Array:
    """Newest request or limit, [n, 2]; 0 means none, as a scheduler writes it."""
    last = profiles["signal_last"][:, [_SIGNAL[cpu], _SIGNAL[memory]]].astype(np.float64)
    return np.where(last > 0, last, np.nan)


def _memory_quantiles(profiles: Columns) -> tuple[Array, Array]:
    """Memory, each [n]: the median over finished days of the day's median, and the mean of its P95 (so that slack is the
    mean of the days' slack). Before the first finished day: those of the running day."""
    p50 = _median_of_codes(profiles["daily_quantile"][:, MEMORY, :, _MEDIAN])
    p95 = _mean(profiles["daily_p95"][:, MEMORY].astype(np.float64))
    young = np.flatnonzero(np.isnan(p95))
    if len(young):
        running = Distribution.of(profiles["day_histogram"][young, MEMORY], MEMORY).quantiles(np.array([[0.5, 0.95]]))
        running = np.minimum(running, np.fmax.reduce(profiles["daily_peak"][young, MEMORY], axis=1)[:, None])
        p50[young], p95[young] = running[:, 0], running[:, 1]
    return p50, p95


def _median_of_codes(codes: Array) -> Array:
    """The lower median of each row's log codes, as a value; code 0 is no value. Codes sort as their values do."""
    rising = np.sort(codes, axis=1)
    count = np.count_nonzero(codes, axis=1)
    middle = codes.shape[1] - count + np.maximum(count - 1, 0) // 2
    place = np.minimum(middle, codes.shape[1] - 1)[:, None]
    return from_log_code(np.take_along_axis(rising, place, axis=1)[:, 0])


def _mean(values: Array) -> Array:
    """Mean of each row without its NaN; NaN where nothing else is in it."""
    days_first = np.ascontiguousarray(values.T)
    known = ~np.isnan(days_first)
    count = np.count_nonzero(known, axis=0)
    total = sum_days(np.where(known, days_first, 0.0))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def sum_days(values: Array) -> Array:
    """Sum of [days, n] over its days, one after the other: the same bits for any n and on any machine, which BLAS does
    not give. Numpy sums a single column pairwise, so that one is accumulated."""
    total: Array = values.sum(axis=0) if values.shape[1] > 1 else np.add.accumulate(values, axis=0)[-1]
    return total
