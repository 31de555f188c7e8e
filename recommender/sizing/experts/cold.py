"""Workloads with less than a week of days: one plain rule, until the experts have a record to stand on."""

from __future__ import annotations

import numpy as np

from models.columns import Array
from recommender.sizing.experts import windows
from recommender.sizing.experts.catalogue import Resource
from recommender.sizing.experts.days import PEAK, Days

ENOUGH_DAYS = 7
"""On days 4 to 7 of a fleet without any prior the maximum + 15 % leaves 61.0 % of memory unused at 5.7 % OOM-days,
the experts 62.4 %; from day 8 on the experts win. With a prior of another fleet they may start earlier."""
MARGIN = 1.15


def is_cold(days: Days) -> Array:
    """Workloads with too short a record. [n] bool"""
    return days.seen() < ENOUGH_DAYS


def cold_limits(resource: Resource, days: Days, floor: float, cap: Array) -> Array:
    """Memory: the highest peak + 15 %. CPU: the highest daily P95 + 15 %. NaN for a workload without any day. [n]"""
    level = PEAK if resource == "memory" else 0.95
    wanted = windows.highest(days.at(level)) * MARGIN
    return np.asarray(np.where(np.isnan(wanted), np.nan, np.maximum(np.fmin(wanted, cap), floor)))
