"""Profile rows for tests, from what a test wants to say about a workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.columns import Columns, empty_arrays
from models.histogram import bucket_of, to_log_code
from models.profile import CPU, DAY_LEVELS, MEMORY, PEAK_DAYS, PROFILE_FIELDS
from models.signals import CPU_SIGNALS
from recommender.sizing.policy_columns import PolicyColumns, PolicyTable
from recommender.sizing.settings import SizingPolicy

DAY_MS = 86_400_000
TODAY = 20_000
NOW_MS = (TODAY + 1) * DAY_MS
"""The end of UTC day 20,000: the newest span of every workload that is not stale."""
MIB = float(1 << 20)
GIB = float(1 << 30)

PLACE = {signal.name: number for number, signal in enumerate(CPU_SIGNALS)}


@dataclass(frozen=True)
class Workload:
    """cpu: cores to weight; memory: daily peaks in bytes, newest day first, NaN for a day without; signals: newest values."""

    cpu: Mapping[float, int] = field(default_factory=lambda: {1.0: 100})
    memory: Sequence[float] = (GIB,)
    days: float = 32.0
    signals: Mapping[str, float] = field(default_factory=dict)
    throttled: float = float("nan")
    oom_days_ago: float | None = None
    oom_peak: float = float("nan")
    rows: int = 1000
    silent_days: float = 0.0
    id: str = "prod/shop/Deployment/web/main"


def profiles(*workloads: Workload) -> Columns:
    """A slab of these workloads."""
    arrays = empty_arrays(PROFILE_FIELDS, len(workloads))
    for row, workload in enumerate(workloads):
        last = int(NOW_MS - workload.silent_days * DAY_MS)
        arrays["last_seen_ms"][row] = last
        arrays["first_seen_ms"][row] = last - int(workload.days * DAY_MS)
        arrays["covered_ms"][row] = int(workload.days * DAY_MS)
        arrays["rows"][row] = workload.rows
        arrays["newest_day"][row] = TODAY
        _fill_usage(arrays, row, workload)
        _fill_signals(arrays, row, workload)
    return Columns(PROFILE_FIELDS, [workload.id for workload in workloads], arrays)


def policy(n: int = 1, **changed: float | str) -> PolicyColumns:
    """One policy for everybody, defaults but for what is changed."""
    return PolicyTable(SizingPolicy(**changed)).columns(["any"] * n)  # type: ignore[arg-type]  # checked by SizingPolicy


def _fill_usage(arrays: dict[str, np.ndarray], row: int, workload: Workload) -> None:
    for cores, weight in workload.cpu.items():
        arrays["histogram"][row, CPU, bucket_of(np.array([cores], dtype=np.float32), CPU)[0]] += weight
        arrays["signal_count"][row, PLACE["cpu_cores"]] += 1
    if workload.cpu:
        arrays["daily_peak"][row, CPU, TODAY % PEAK_DAYS] = max(workload.cpu)
    for age, peak in enumerate(workload.memory):
        column = (TODAY - age) % PEAK_DAYS
        arrays["daily_peak"][row, MEMORY, column] = peak
        if age and not np.isnan(peak):
            arrays["daily_p95"][row, MEMORY, column] = 0.8 * peak
            arrays["daily_quantile"][row, MEMORY, column] = to_log_code(np.array([0.5 * peak] * len(DAY_LEVELS)))
        if not np.isnan(peak):
            arrays["signal_count"][row, PLACE["memory_working_set_bytes"]] += 1
    today = next((peak for peak in workload.memory if not np.isnan(peak)), None)
    if today is not None:
        arrays["day_histogram"][row, MEMORY, bucket_of(np.array([today], dtype=np.float32), MEMORY)[0]] = 60


def _fill_signals(arrays: dict[str, np.ndarray], row: int, workload: Workload) -> None:
    for name, value in workload.signals.items():
        arrays["signal_last"][row, PLACE[name]] = value
    arrays["signal_mean"][row, PLACE["cpu_throttled_ratio"]] = workload.throttled
    arrays["oom_peak"][row] = workload.oom_peak
    if workload.oom_days_ago is not None:
        arrays["oom_kills"][row] = 1
        arrays["last_oom_ms"][row] = int(NOW_MS - workload.oom_days_ago * DAY_MS)
