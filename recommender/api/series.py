"""Usage, request and recommendation of one workload day by day: the body of a Series."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from models.columns import Array, Columns
from models.histogram import from_log_code
from models.profile import DAY_LEVELS, PEAK_DAYS, RESOURCES
from recommender.api.answers import UNITS
from recommender.api.render import Body, number
from recommender.sizing.usage import DAY_MS
from recommender.view import Row
from recommender.view_follow import profile_of

_MEDIAN = DAY_LEVELS.index(0.5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).date()


def series(row: Row) -> Body:
    """At most 32 days, oldest first, from the day it was first seen; the running day has no median and P95 yet."""
    profile = profile_of(row)
    newest = max(int(row["history_day"]), -1 if profile is None else int(profile["newest_day"][0]))
    days = np.arange(max(int(row["first_seen_ms"]) // DAY_MS, newest - PEAK_DAYS + 1), newest + 1)
    return {
        "id": row.id,
        "days": [(_EPOCH + timedelta(days=day)).isoformat() for day in days.tolist()],
        **{
            f"{name}_{UNITS[name]}": {
                measure: [number(value) for value in values]
                for measure, values in _measures(row, profile, resource, days).items()
            }
            for resource, name in enumerate(RESOURCES)
        },
    }


def _measures(row: Row, profile: Columns | None, resource: int, days: Array) -> dict[str, Array]:
    own = int(row["history_day"])
    measures = {
        "request": _ring(from_log_code(row["request_days"][resource]), days, own),
        "target": _ring(from_log_code(row["target_days"][resource]), days, own),
    }
    if profile is None:
        return {name: np.full(len(days), np.nan) for name in ("usage_p50", "usage_p95", "usage_peak")} | measures
    median = from_log_code(profile["daily_quantile"][0, resource, :, _MEDIAN])
    usage: dict[str, Any] = {
        "usage_p50": median,
        "usage_p95": profile["daily_p95"][0, resource].astype(np.float64),
        "usage_peak": profile["daily_peak"][0, resource].astype(np.float64),
    }
    seen = int(profile["newest_day"][0])
    return {name: _ring(values, days, seen) for name, values in usage.items()} | measures


def _ring(values: Array, days: Array, newest: int) -> Array:
    """Values by day number modulo 32 as values of days; NaN for days that the ring does not hold."""
    held = (days <= newest) & (days > newest - PEAK_DAYS)
    return np.where(held, values[days % PEAK_DAYS], np.nan)
