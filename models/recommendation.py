"""What to give a workload: the recommendation table. Two resources, in the order of models.profile.RESOURCES.

CPU is compressible, memory is not and is never sized by a mean. NaN means "not known" or "none".
"""

from __future__ import annotations

from models.columns import Field

_R = 2
CARRIERS = 3
"""The heaviest experts that are shown."""
_NAN = float("nan")

RECOMMENDATION_FIELDS: tuple[Field, ...] = (
    Field(
        "computed_ms", "int64", (), "newest evidence in its slab when it was decided; no clock, so a replay repeats it"
    ),
    Field(
        "changed_ms", "int64", (), "computed_ms at which its action, reasons, target or limit last changed; 0: never"
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
    Field("request_before", "float64", (_R,), "request before the newest change of it that was seen", _NAN),
    Field("request_changed_ms", "int64", (_R,), "when that change was seen; 0: never"),
    Field(
        "applied_ms", "int64", (_R,), "computed_ms of the recommendation that this change followed; 0: it followed none"
    ),
    Field("outcome", "uint8", (_R,), "models.outcome.Outcome of that change"),
    Field("lowered_ms", "int64", (_R,), "when the target was last lowered; 0: never"),
    Field("expert_limit", "float64", (_R,), "what the blend of experts asks for, before policy", _NAN),
    Field("expert_slack_ratio", "float32", (_R,), "slack that the blend expects of it", _NAN),
    Field("expert_overrun_ratio", "float32", (_R,), "overrun it expects: memory days, CPU time", _NAN),
    Field(
        "own_share_ratio",
        "float32",
        (_R,),
        "part of its evidence that is the workload's own; the rest is its class",
        _NAN,
    ),
    Field("runs", "uint16", (), "finished runs of a job; 0 for what runs on and on"),
    Field(
        "start_peak",
        "float64",
        (_R,),
        "highest value in the first five to ten minutes of its instances; NaN: none began",
        _NAN,
    ),
    Field("steady_peak", "float64", (_R,), "highest value of its instances after that", _NAN),
    Field("history_day", "int32", (), "UTC day of the newest column of the two below; -1: none", -1),
    Field(
        "request_days", "uint16", (_R, 32), "request at the end of each day, log codes; column = day number modulo 32"
    ),
    Field("target_days", "uint16", (_R, 32), "target at the end of each day; same columns"),
    Field("carrier", "uint8", (_R, CARRIERS), "experts that carried it, heaviest first (recommender.sizing.experts)"),
    Field("carrier_weight", "float32", (_R, CARRIERS), "their weights", _NAN),
    Field("carrier_limit", "float32", (_R, CARRIERS), "the limit of each, cores and bytes", _NAN),
)
