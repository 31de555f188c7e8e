"""What sizewise knows of a workload: the profile table. It is also the profiler's whole state of that workload.

Two resources have full sketches, in this order everywhere: RESOURCES = ("cpu", "memory"), in cores and bytes.
Every CPU signal has a summary. At most 8 KB a workload, whatever its history. All instances of a workload share one
row, and all values are per instance: a histogram mixes their samples, a peak is the highest of any of them.

Peaks are rounded up to the next float32, so that none is below what was seen.

A workload on GPUs has GPU_FIELDS too, told by its GPU rows alone: a window is what one GPU did in one minute of one
message, and all values are per GPU. They are zero for others, and cost no memory where no workload has a GPU.
"""

from __future__ import annotations

from models.bottleneck import CLASSES, EVIDENCE
from models.columns import Field
from models.fingerprint.head import HEAD_FIELDS
from models.histogram import BUCKETS
from models.signals import CPU_SIGNALS

RESOURCES: tuple[str, ...] = ("cpu", "memory")
CPU, MEMORY = 0, 1
RESOURCE_SIGNALS: tuple[str, ...] = ("cpu_cores", "memory_working_set_bytes")

PEAK_DAYS = 32
RUNS = 16
"""Runs of a job whose peaks are kept; of a service, spans of two days."""
HOURS_PER_WEEK = 168
DAY_LEVELS: tuple[float, ...] = (0.5, 0.75, 0.9, 0.98, 0.99, 0.999)
"""With daily_p95 and daily_peak, enough of a day's distribution to mix days: P99 of a week, P99.9 of a month, the
share of a day above a limit."""
HISTOGRAM_UNIT: tuple[int, ...] = (64, 1 << 24)
"""Weight of one second of CPU at histogram_reference_ms, and of the memory peak of the running window."""
GPU_SIGNALS_KEPT: tuple[str, ...] = (
    "gpu_utilization_ratio",
    "memory_copy_utilization_ratio",
    "graphics_engine_active_ratio",
    "sm_active_ratio",
    "sm_occupancy_ratio",
    "tensor_active_ratio",
    "dram_active_ratio",
    "fp64_active_ratio",
    "fp32_active_ratio",
    "fp16_active_ratio",
    "framebuffer_used_bytes",
    "framebuffer_total_bytes",
    "pcie_transmit_bytes_per_s",
    "pcie_receive_bytes_per_s",
    "nvlink_transmit_bytes_per_s",
    "nvlink_receive_bytes_per_s",
    "power_watts",
    "power_limit_watts",
    "sm_clock_hertz",
    "power_throttled_ratio",
)
"""GPU signals of which a profile keeps a mean: what tells the class and the size of a slice. Never reorder."""
_R, _S, _D, _G = len(RESOURCES), len(CPU_SIGNALS), PEAK_DAYS, len(GPU_SIGNALS_KEPT)
_NAN = float("nan")

CPU_FIELDS: tuple[Field, ...] = (
    Field("first_seen_ms", "int64", (), "start of the first span seen; 0 for an empty row"),
    Field("last_seen_ms", "int64", (), "end of the newest span seen"),
    Field("covered_ms", "int64", (), "time described by rows, summed over instances"),
    Field("rows", "int64", (), "telemetry rows absorbed"),
    Field(
        "histogram",
        "uint32",
        (_R, BUCKETS),
        "decayed weight per bucket (models.histogram). CPU: HISTOGRAM_UNIT a second, doubling every 24 h after the "
        "reference; memory: HISTOGRAM_UNIT for the peak of the running window, half of it for the one before, ...",
    ),
    Field("histogram_reference_ms", "int64", (_R,), "time at which a new sample has its plain weight"),
    Field("day_histogram", "uint32", (_R, BUCKETS), "seconds per bucket in the running UTC day, without decay"),
    Field("window_end_ms", "int64", (), "end of the running 24 h peak window; windows begin at the first hour seen"),
    Field("window_peak", "float32", (_R,), "highest value in the running 24 h window", _NAN),
    Field("daily_peak", "float32", (_R, _D), "highest value of a UTC day; column = day number modulo 32", _NAN),
    Field("daily_p95", "float32", (_R, _D), "95th percentile of a finished UTC day; same columns", _NAN),
    Field(
        "daily_quantile",
        "uint16",
        (_R, _D, len(DAY_LEVELS)),
        "quantiles of a finished UTC day at DAY_LEVELS as log codes (models.histogram.from_log_code); same columns",
    ),
    Field("newest_day", "int32", (), "UTC day number (days since 1970) of the newest row", -1),
    Field("newest_hour", "int32", (), "UTC hour number (hours since 1970) of the newest row", -1),
    Field("hour_sum", "float64", (_R,), "value times seconds in the running hour"),
    Field("hour_seconds", "float64", (_R,), "seconds with a value in the running hour"),
    Field("hour_max", "float32", (_R,), "highest value in the running hour", _NAN),
    Field(
        "hour_mean",
        "uint16",
        (_R, HOURS_PER_WEEK),
        "mean by hour of week as a log code (models.histogram.from_log_code), UTC, hour 0 = Monday 00:00; finished "
        "hours, a week ago counts half",
    ),
    Field(
        "hour_peak",
        "uint16",
        (_R, HOURS_PER_WEEK),
        "peak by hour of week as a log code; falls by a quarter of the distance in each week that stays below it",
    ),
    Field("runs", "uint16", (), "finished runs: times it came back after a whole silent hour"),
    Field("run_start_ms", "int64", (), "when the running run began"),
    Field("run_column", "uint8", (), "running column of the two below: one for each run, and two days of a longer one"),
    Field(
        "run_start_peak",
        "uint16",
        (_R, RUNS),
        "highest value in the first five to ten minutes of an instance (models.peak16); 0: none began",
    ),
    Field("run_peak", "uint16", (_R, RUNS), "highest value of instances after that; same columns"),
    Field(
        "instances_known", "uint64", (), "instances that are no longer starting; an instance is a bit (profiler.starts)"
    ),
    Field("instances_seen", "uint64", (), "instances seen on the running UTC day"),
    Field(
        "instances_older", "uint64", (), "starting ones, first seen in the five minutes before those of last_seen_ms"
    ),
    Field("instances_newer", "uint64", (), "starting ones, first seen in the five minutes of last_seen_ms"),
    Field("run_length", "uint8", (RUNS,), "how long a finished run took (models.duration8); same columns"),
    Field(
        "trend",
        "float64",
        (_R, 5),
        "decayed moments of finished hours, half-life 7 d: weight, t, t*t, y, t*y; t in days since first_seen_ms, "
        "y the mean of the hour",
    ),
    Field("signal_count", "uint32", (_S,), "values seen per CPU signal, counted to 2^31; 0: the signal is missing"),
    Field("signal_sum", "float64", (_S,), "decayed sum of value times seconds, relative to histogram_reference_ms[0]"),
    Field("signal_weight", "float64", (_S,), "decayed seconds behind signal_sum"),
    Field(
        "signal_mean", "float32", (_S,), "decayed mean per CPU signal, half-life 24 h: signal_sum/signal_weight", _NAN
    ),
    Field("signal_peak", "float32", (_S,), "highest value ever seen per CPU signal", _NAN),
    Field("signal_last", "float64", (_S,), "newest value per CPU signal; none after an hour without a value", _NAN),
    Field("hour_signals", "uint32", (), "bit s: CPU signal s had a value in the running hour"),
    Field("oom_kills", "int64", (), "OOM kills counted"),
    Field("last_oom_ms", "int64", (), "time of the newest OOM kill; 0 for none"),
    Field(
        "oom_peak",
        "float32",
        (),
        "highest memory in the window of an OOM kill; a censored peak: the true one is above it",
        _NAN,
    ),
    Field("cpu_bottleneck", "uint8", (), "models.bottleneck.Bottleneck of the decayed means of its CPU signals"),
    Field("cpu_bottleneck_confidence", "float32", (), "0 to 1; how sure cpu_bottleneck is"),
)

GPU_FIELDS: tuple[Field, ...] = (
    Field("gpu_last_seen_ms", "int64", (), "end of the newest GPU window; 0: it never had a GPU"),
    Field("gpu_covered_ms", "int64", (), "GPU time described by rows, summed over GPUs"),
    Field("gpu_newest_day", "int32", (), "UTC day number of the newest window; a second at its midnight weighs 1"),
    Field("gpu_class_seconds", "float32", (CLASSES,), "decayed GPU seconds in each models.bottleneck.Bottleneck"),
    Field("gpu_counter_seconds", "float64", (), "decayed GPU seconds that were judged by profiling counters"),
    Field("gpu_learned_seconds", "float64", (), "decayed GPU seconds that a learned model judged"),
    Field("gpu_confidence_seconds", "float64", (), "decayed GPU seconds times the confidence of their class"),
    Field("gpu_signal_sum", "float32", (_G,), "decayed sum of value times seconds of GPU_SIGNALS_KEPT"),
    Field("gpu_signal_weight", "float32", (_G,), "decayed seconds with a value; 0 means the signal is missing"),
    Field(
        "gpu_framebuffer_peak",
        "uint16",
        (_D,),
        "most device memory in use on one GPU on a UTC day, upper half of a float32 rounded up (models.peak16); "
        "column = day number modulo 32",
    ),
    Field("gpu_count", "uint16", (), "GPUs that one instance used, in the newest message"),
    Field("gpu_model", "uint32", (), "models.hardware.discovery.code_of the newest GPU; 0: the catalogue lacks it"),
    Field("gpu_sliced", "uint8", (), "1 when the newest GPU is a MIG slice"),
    Field(
        "gpu_bottleneck",
        "uint8",
        (),
        "the models.bottleneck.Bottleneck with most of the decayed time that has one; none where most of the time has none",
    ),
    Field(
        "gpu_bottleneck_confidence", "float32", (), "0 to 1: mean confidence of the windows, 0 of those without a class"
    ),
    Field("gpu_evidence", "float32", (len(EVIDENCE),), "models.bottleneck.EVIDENCE of the decayed means; NaN: missing"),
    Field(
        "gpu_roofline",
        "float32",
        (3,),
        "arithmetic intensity of the decayed means, lowest and highest, and ridge point of the busiest pipe, FLOP/byte; "
        "NaN or 0: it cannot be told",
    ),
    *HEAD_FIELDS,
)
"""All empty is zero."""

PROFILE_FIELDS: tuple[Field, ...] = CPU_FIELDS + GPU_FIELDS
