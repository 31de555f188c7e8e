"""The VPA recommender, column by column (kubernetes/autoscaler 55c37cd5, pkg/recommender/{model,logic}).

Amounts are whole millicores and bytes, cut towards zero at every step, as in the original.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from recommender.backtest.peers.vpa.histogram import CPU_BUCKETS, MEMORY_BUCKETS, DecayingHistograms
from recommender.backtest.usage import DAY_S, Resource

CPU_WEIGHT = 0.1
MEMORY_WEIGHT = 1.0
MARGIN_RATIO = 0.15
MAX_AMOUNT = 1e14
SAMPLES_PER_DAY = 1440
OOM_BUMP_RATIO = 1.2
OOM_MIN_BUMP_BYTES = float(100 << 20)
POD_MINIMUM: dict[Resource, float] = {"cpu": 25.0, "memory": float(250 << 20)}
"""Millicores and bytes, for a pod of one container."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What VPA writes into its status, cores or bytes. [n] each."""

    target: Array
    lower: Array
    upper: Array


class VpaRecommender:
    """n pods of one container each. Times are seconds since 1970 and shared by all rows of a call.

    `blind_on_zero` keeps the original's defect: a first sample of 0 in a 24 h window hides the rest of the window.
    `samples_per_value`: how many of VPA's one-a-minute samples a value stands for; confidence counts them.
    """

    def __init__(self, n: int, *, blind_on_zero: bool = True, samples_per_value: float = 1.0) -> None:
        self._cpu = DecayingHistograms(CPU_BUCKETS, n)
        self._memory = DecayingHistograms(MEMORY_BUCKETS, n)
        self._blind_on_zero = blind_on_zero
        self._samples_per_value = samples_per_value
        self._first_cpu_s = np.full(n, np.nan)
        self._last_cpu_s = np.full(n, -np.inf)
        self._cpu_samples = np.zeros(n)
        self._last_memory_s = np.full(n, -np.inf)
        self._window_end_s = np.full(n, np.nan)
        self._usage_peak = np.zeros(n)
        self._oom_peak = np.zeros(n)

    def add_cpu(self, times_s: Array, cores: Array) -> None:
        """CPU samples, [slots] and [n, slots]. Negative ones and those not newer than the last are dropped."""
        millicores = np.ceil(np.round(cores * 1000, 6))
        newest = np.maximum.accumulate(np.where(millicores >= 0, times_s, -np.inf), axis=1)
        before = np.maximum(
            np.pad(newest[:, :-1], ((0, 0), (1, 0)), constant_values=-np.inf), self._last_cpu_s[:, None]
        )
        kept = (millicores >= 0) & (times_s > before)
        rows, slots = np.nonzero(kept)
        self._cpu.add(rows, millicores[rows, slots] / 1000, times_s[slots], CPU_WEIGHT)
        self._count(kept, times_s)

    def _count(self, kept: Array, times_s: Array) -> None:
        """What confidence rests on: the number and the span of CPU samples."""
        any_kept = kept.any(axis=1)
        times = np.broadcast_to(times_s, kept.shape)
        first = np.min(times, axis=1, where=kept, initial=np.inf)
        self._first_cpu_s[any_kept] = np.fmin(self._first_cpu_s, first)[any_kept]
        self._last_cpu_s = np.maximum(self._last_cpu_s, np.max(times, axis=1, where=kept, initial=-np.inf))
        self._cpu_samples += kept.sum(axis=1) * self._samples_per_value

    def count_only(self, times_s: Array, present: Array) -> None:
        """CPU samples of a replay that looks at memory alone: they make the confidence."""
        self._count(present, times_s)

    def add_memory(self, times_s: Array, used_bytes: Array) -> None:
        """Memory samples, [slots] and [n, slots], whole bytes. One peak per 24 h window enters the histogram."""
        known = used_bytes >= 0
        newest = np.maximum.accumulate(np.where(known, times_s, -np.inf), axis=1)
        known &= times_s >= np.maximum(newest, self._last_memory_s[:, None])
        self._last_memory_s = np.maximum(self._last_memory_s, newest[:, -1])
        usage = np.where(known, used_bytes, np.nan)
        self._open_first_windows(times_s, known)
        origin_s = self._window_end_s.copy()
        windows = np.where(known, np.floor((times_s - origin_s[:, None]) / DAY_S) + 1, -1)
        for k in np.unique(windows[known]):
            inside = np.where(windows == k, usage, np.nan)
            self._grow_window(inside) if k <= 0 else self._shift_window(inside, origin_s + k * DAY_S)

    def _open_first_windows(self, times_s: Array, known: Array) -> None:
        first = np.isnan(self._window_end_s) & known.any(axis=1)
        self._window_end_s[first] = times_s[known[first].argmax(axis=1)]

    def _grow_window(self, usage: Array, *, oom: bool = False) -> None:
        """A sample above the peak of the open window takes its place. `usage` [n, slots], NaN: none."""
        peak, old = np.fmax.reduce(usage, axis=1), np.maximum(self._usage_peak, self._oom_peak)
        rows = np.flatnonzero((peak > old) & ((old != 0) | (not self._blind_on_zero)))
        self._memory.add(rows, old[rows], self._window_end_s[rows], -MEMORY_WEIGHT)
        self._add_peak(rows, peak[rows], oom=oom)

    def _shift_window(self, usage: Array, end_s: Array, *, oom: bool = False) -> None:
        """The first sample of a new window is its peak until a higher one comes."""
        present = ~np.isnan(usage)
        rows = np.flatnonzero(present.any(axis=1))
        first = usage[rows, present[rows].argmax(axis=1)]
        self._window_end_s[rows] = end_s[rows]
        self._usage_peak[rows] = self._oom_peak[rows] = 0.0
        self._add_peak(rows, first, oom=oom)
        if not oom:
            self._grow_window(usage)

    def _add_peak(self, rows: Array, peak: Array, *, oom: bool) -> None:
        self._memory.add(rows, peak, self._window_end_s[rows], MEMORY_WEIGHT)
        (self._oom_peak if oom else self._usage_peak)[rows] = peak

    def add_oom(self, rows: Array, times_s: Array, request_bytes: Array) -> None:
        """OOM kills, one per row at most; `times_s` and `request_bytes` as `rows`. Old ones are dropped."""
        fresh = times_s >= self._last_memory_s[rows] - DAY_S
        rows, times_s, request_bytes = rows[fresh], times_s[fresh], request_bytes[fresh]
        used = np.maximum(request_bytes, self._usage_peak[rows])
        sample = np.maximum(used + OOM_MIN_BUMP_BYTES, np.trunc(used * OOM_BUMP_RATIO))
        self._last_memory_s[rows] = times_s
        unset = np.isnan(self._window_end_s[rows])
        self._window_end_s[rows[unset]] = times_s[unset]
        for late in (False, True):
            chosen = (times_s >= self._window_end_s[rows]) == late
            usage = np.full((len(self._usage_peak), 1), np.nan)
            usage[rows[chosen], 0] = sample[chosen]
            end_s = self._window_end_s.copy()
            end_s[rows] += (np.floor((times_s - end_s[rows]) / DAY_S) + 1) * DAY_S
            self._shift_window(usage, end_s, oom=True) if late else self._grow_window(usage, oom=True)

    def answer(self, resource: Resource, *, minimum: bool = True) -> Answer:
        """Target and bounds. `minimum=False` leaves the pod minimum out, as the tables of the bench do."""
        histograms, unit = (self._cpu, 1000.0) if resource == "cpu" else (self._memory, 1.0)
        least = POD_MINIMUM[resource] if minimum else 0.0
        days = self._confidence_days()
        with np.errstate(divide="ignore"):
            factors: dict[float, Array | float] = {0.9: 1.0, 0.5: (1 + 0.001 / days) ** -2.0, 0.95: 1 + 1 / days}
        target, lower, upper = (
            np.maximum(_scaled(_with_margin(_amount(histograms.percentile(q) * unit)), factor), least) / unit
            for q, factor in factors.items()
        )
        return Answer(target, lower, upper)

    def _confidence_days(self) -> Array:
        """Days of history, and not more than the days that the samples fill at one a minute. [n]"""
        span = np.where(np.isnan(self._first_cpu_s), 0.0, self._last_cpu_s - self._first_cpu_s) / DAY_S
        return np.minimum(np.nan_to_num(span), self._cpu_samples / SAMPLES_PER_DAY)


def _amount(value: Array) -> Array:
    return np.clip(np.trunc(value), 0, MAX_AMOUNT)


def _with_margin(amount: Array) -> Array:
    return amount + _amount(amount * MARGIN_RATIO)


def _scaled(amount: Array, factor: Array | float) -> Array:
    """Without confidence the upper factor is infinite; 0 times infinity is a negative integer in Go, so the minimum."""
    with np.errstate(invalid="ignore"):
        product = amount * factor
    return _amount(np.where(np.isnan(product), 0.0, product))
