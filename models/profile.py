"""What sizewise knows of a workload: the profile table. It is also the profiler's whole state of that workload.

Two resources have full sketches, in this order everywhere: RESOURCES = ("cpu", "memory"), in cores and bytes.
Every CPU signal has a summary. At most 8 KB a workload, whatever its history.
"""

from __future__ import annotations

from models.columns import Field
from models.signals import CPU_SIGNALS

RESOURCES: tuple[str, ...] = ("cpu", "memory")
CPU, MEMORY = 0, 1

BUCKETS = 176
"""VPA's exponential histogram: n = ceil(log_1.05(max*(1.05-1)/first + 1)) + 1 for both of its resources."""
PEAK_DAYS = 32
HOURS_PER_WEEK = 168
_R, _S = len(RESOURCES), len(CPU_SIGNALS)
_NAN = float("nan")

PROFILE_FIELDS: tuple[Field, ...] = (
    Field("first_seen_ms", "int64", (), "start of the first span seen"),
    Field("last_seen_ms", "int64", (), "end of the newest span seen"),
    Field("covered_ms", "int64", (), "time described by rows, summed over instances"),
    Field("rows", "int64", (), "telemetry rows absorbed"),
    Field("histogram", "float32", (_R, BUCKETS), "decayed weight per bucket, relative to histogram_reference_ms"),
    Field("histogram_reference_ms", "int64", (_R,), "time at which a new sample has its plain weight"),
    Field("window_end_ms", "int64", (), "end of the running 24 h peak window; 0 before the first sample"),
    Field("window_peak", "float32", (_R,), "highest value in the running 24 h window", _NAN),
    Field("daily_peak", "float32", (_R, PEAK_DAYS), "highest value of a UTC day; column = day number modulo 32", _NAN),
    Field("daily_p95", "float32", (_R, PEAK_DAYS), "95th percentile of a UTC day; same columns", _NAN),
    Field("newest_day", "int32", (), "UTC day number (days since 1970) of the newest row", -1),
    Field(
        "hour_mean", "float32", (_R, HOURS_PER_WEEK), "decayed mean by hour of week, UTC, hour 0 = Monday 00:00", _NAN
    ),
    Field("hour_peak", "float32", (_R, HOURS_PER_WEEK), "decayed peak by hour of week", _NAN),
    Field("trend", "float64", (_R, 5), "decayed moments of (days, value): weight, t, t*t, y, t*y"),
    Field("signal_count", "int64", (_S,), "values seen per CPU signal; 0 means the signal is missing"),
    Field("signal_mean", "float32", (_S,), "decayed mean per CPU signal, half-life 24 h", _NAN),
    Field("signal_weight", "float32", (_S,), "decayed weight behind signal_mean"),
    Field("signal_peak", "float32", (_S,), "highest value ever seen per CPU signal", _NAN),
    Field("signal_last", "float32", (_S,), "newest value per CPU signal", _NAN),
    Field("oom_kills", "int64", (), "OOM kills counted"),
    Field("last_oom_ms", "int64", (), "time of the newest OOM kill; 0 for none"),
    Field(
        "oom_peak", "float32", (), "highest memory seen at an OOM kill; a censored peak: the true one is above it", _NAN
    ),
)
