"""What to give a workload: the recommendation table. Two resources, in the order of models.profile.RESOURCES.

CPU is compressible, memory is not and is never sized by a mean. NaN means "not known" or "none".
"""

from __future__ import annotations

from models.columns import Field

_R = 2
_NAN = float("nan")

RECOMMENDATION_FIELDS: tuple[Field, ...] = (
    Field(
        "computed_ms", "int64", (), "newest evidence in its slab when it was decided; no clock, so a replay repeats it"
    ),
    Field("evidence_from_ms", "int64", (), "start of the history it rests on"),
    Field("evidence_to_ms", "int64", (), "end of the history it rests on"),
    Field("confidence", "float32", (), "0 to 1: share of the history that policy asks for"),
    Field("action", "uint8", (_R,), "models.reasons.Action"),
    Field("reasons", "uint64", (_R,), "models.reasons.Reason, one bit each"),
    Field("request_now", "float64", (_R,), "present request, cores and bytes", _NAN),
    Field("limit_now", "float64", (_R,), "present limit", _NAN),
    Field("estimate", "float64", (_R,), "what usage alone asks for, before policy", _NAN),
    Field("target", "float64", (_R,), "request to set", _NAN),
    Field("target_since_ms", "int64", (_R,), "since when this target stands; 0 without one"),
    Field("lower", "float64", (_R,), "a request under this is too small", _NAN),
    Field("upper", "float64", (_R,), "a request over this is waste", _NAN),
    Field("limit_target", "float64", (_R,), "limit to set; NaN: leave it or have none, as policy says", _NAN),
    Field("usage_p50", "float64", (_R,), "median usage; memory: of the median day", _NAN),
    Field("usage_p95", "float64", (_R,), "95th percentile of usage; memory: mean over days of each day's", _NAN),
    Field("usage_peak", "float64", (_R,), "highest usage in the evidence window", _NAN),
    Field("expected_slack_ratio", "float32", (_R,), "share of the target that P95 usage will leave unused", _NAN),
    Field(
        "overrun_risk_ratio",
        "float32",
        (_R,),
        "CPU: share of time above target; memory: chance of a day above it",
        _NAN,
    ),
)
