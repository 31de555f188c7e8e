"""Profiles of a made-up fleet, with every field that sizing reads filled as a month of telemetry fills it."""

from __future__ import annotations

import numpy as np

from models.columns import Array, Columns, empty_arrays
from models.histogram import starts, to_log_code
from models.profile import PEAK_DAYS, PROFILE_FIELDS
from models.signals import CPU_SIGNALS

SLAB = 256
_DAY_MS = 86_400_000
TODAY = 20_000
"""UTC day number of the newest day: 4 October 2024."""
_TAIL = np.array([0.0, 0.67, 1.28, 2.05, 2.33, 3.09])
"""Standard deviations of a normal distribution at DAY_LEVELS."""


def profile_slabs(workloads: int, seed: int = 1) -> list[Columns]:
    """Slabs of 256 workloads with log-normal sizes and usage, 32 days old; a fifth has no memory request.

    8 KB a workload: 100,000 of them take 0.8 GB.
    """
    random = np.random.default_rng(seed)
    return [_slab(first, min(SLAB, workloads - first), random) for first in range(0, workloads, SLAB)]


def _slab(first: int, n: int, random: np.random.Generator) -> Columns:
    ids = [f"bench/ns-{i // 100}/Deployment/app-{i}/main" for i in range(first, first + n)]
    arrays = empty_arrays(PROFILE_FIELDS, n)
    median = np.exp(random.normal((-1.0, np.log(5e8)), 1.5, (n, 2)))
    spread = random.uniform(0.1, 0.8, (n, 2))
    now = (TODAY + 1) * _DAY_MS - random.integers(1, 60_000, n)
    arrays["first_seen_ms"][:] = now - PEAK_DAYS * _DAY_MS
    arrays["last_seen_ms"][:] = now
    arrays["covered_ms"][:] = PEAK_DAYS * _DAY_MS
    arrays["rows"][:] = PEAK_DAYS * 1440
    arrays["newest_day"][:] = TODAY
    for resource in range(2):
        arrays["histogram"][:, resource] = _weights(median[:, resource], spread[:, resource], resource)
    daily = median[:, :, None] * np.exp(random.normal(0, 0.1, (n, 2, PEAK_DAYS)))
    at_levels = daily[..., None] * np.exp(spread[:, :, None, None] * _TAIL)
    arrays["daily_quantile"][:] = to_log_code(at_levels)
    arrays["daily_p95"][:] = daily * np.exp(1.64 * spread[..., None])
    arrays["daily_peak"][:] = daily * np.exp(3.3 * spread[..., None])
    for name in ("hour_mean", "hour_peak"):
        arrays[name][:] = to_log_code(median[:, :, None] * np.exp(random.normal(0, 0.3, arrays[name].shape)))
    arrays["day_histogram"][:] = arrays["histogram"] // 100
    _fill_signals(arrays, median, random)
    return Columns(PROFILE_FIELDS, ids, arrays)


def _weights(median: Array, spread: Array, resource: int) -> Array:
    """A log-normal density over the buckets, as integer weights of a month of samples."""
    edges = starts(resource)
    centre = np.log((edges[:-1] + edges[1:]) / 2)
    distance = (centre - np.log(median)[:, None]) / spread[:, None]
    density = np.exp(-0.5 * distance**2) * np.diff(np.log(np.maximum(edges, edges[1] / 2)))
    weights: Array = (density / density.sum(axis=1, keepdims=True) * 8e6).astype(np.uint32)
    return weights


def _fill_signals(arrays: dict[str, Array], median: Array, random: np.random.Generator) -> None:
    place = {signal.name: number for number, signal in enumerate(CPU_SIGNALS)}
    arrays["signal_count"][:] = PEAK_DAYS * 1440
    arrays["signal_mean"][:] = 0.0
    for resource, prefix in enumerate(("cpu_{}_cores", "memory_{}_bytes")):
        request = median[:, resource] * np.exp(random.normal(1.0, 0.7, len(median)))
        arrays["signal_last"][:, place[prefix.format("request")]] = request
        arrays["signal_last"][:, place[prefix.format("limit")]] = 2 * request
    without = random.random(len(median)) < 0.2
    arrays["signal_last"][without, place["memory_request_bytes"]] = np.nan
