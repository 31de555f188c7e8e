"""What the API answers: the documented shape of each body. Units are in the names; null has its reason in `missing`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from models.inventory import Node
from models.profile import RESOURCES
from models.reasons import Action
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.api.bottleneck_answers import (
    BottleneckAnswer,
    CpuSideAnswer,
    FramebufferDay,
    GpuAnswer,
    GpuSignalAnswer,
)
from recommender.api.fingerprint_answers import FingerprintAnswer
from recommender.api.slice_answers import MigAnswer

UNITS = {"cpu": "cores", "memory": "bytes"}
QUANTITIES = (
    "request_now",
    "limit_now",
    "target",
    "lower",
    "upper",
    "limit_target",
    "usage_p50",
    "usage_p95",
    "usage_peak",
)
"""Columns of the recommendation table that carry the resource's unit."""
RATIOS = ("expected_slack_ratio", "overrun_risk_ratio")

ACTION_CODES = tuple(action.name.lower().replace("_", "-") for action in Action)
_EXAMPLES: dict[str, dict[str, float | None]] = {
    "cpu": dict(zip(QUANTITIES, (1.0, 2.0, 0.25, 0.2, 0.4, None, 0.11, 0.19, 0.24), strict=True)),
    "memory": dict(
        zip(
            QUANTITIES,
            (2147483648, None, 734003200, 629145600, 1073741824, None, 503316480, 576716800, 612368384),
            strict=True,
        )
    ),
}
_SAVING = {"cpu": 0.75, "memory": 1413480448}


class ReasonAnswer(BaseModel):
    """Why: a code for programs and a sentence for people."""

    code: str = Field(description="stable code", examples=["percentile"])
    sentence: str = Field(examples=["covers the usage percentile that policy asks for"])


def _carrier_model(unit: str) -> type[BaseModel]:
    """One of the sizing rules that carried a decision."""
    fields: dict[str, Any] = {
        "expert": (str, Field(description="statistic of past days, and its margin", examples=["max 14 d x1.16"])),
        "weight_ratio": _field("its share of the decision", 0.41),
        f"limit_{unit}": _field(f"what it alone asks for, in {unit}", 0.31 if unit == "cores" else 734003200),
    }
    model: type[BaseModel] = create_model(f"Carrier{unit.capitalize()}", **fields)
    model.__doc__ = _carrier_model.__doc__
    return model


def _explanation_model(unit: str) -> type[BaseModel]:
    """What carried a decision, what is expected of it, and what would change it."""
    carriers: Any = list[_carrier_model(unit)]  # type: ignore[misc]  # made from the unit
    fields: dict[str, Any] = {
        "experts": (carriers, Field(description="the three heaviest; empty under 7 days of history")),
        "own_share_ratio": _field("part of the evidence that is the workload's own record", 0.6),
        "prior_share_ratio": _field("the rest: workloads of its class", 0.4),
        f"expert_limit_{unit}": _field(f"what the rules ask for together, before policy, in {unit}", 0.33),
        "expert_slack_ratio": _field("share of it that P95 usage is expected to leave unused", 0.3),
        "expert_overrun_ratio": _field("memory: chance of an OOM kill in a day; CPU: share of time above it", 0.009),
        "runs": (int, Field(description="finished runs of a job; 0 for what runs on and on", examples=[0])),
        f"start_peak_{unit}": _field(f"highest use in the first minutes of its instances in {unit}", None),
        f"steady_peak_{unit}": _field(f"highest use after them in {unit}", None),
        "change_followed": (
            str | None,
            Field(description="the recommendation that the newest change of this request followed", examples=[None]),
        ),
        "change_outcome": (
            Literal["none", "watched", "fine", "oom-killed", "throttled", "evicted", "wasteful"],
            Field(description="what became of that change; none: none was seen that followed a recommendation"),
        ),
        "would_change": (list[str], Field(description="what would change the decision, likeliest first")),
        "missing": (dict[str, str], Field(description="why each field of this object that is null is null, by field")),
    }
    model: type[BaseModel] = create_model(f"Explanation{unit.capitalize()}", **fields)
    model.__doc__ = _explanation_model.__doc__
    return model


def _sizing_model(resource: str) -> type[BaseModel]:
    """The sizing of one resource, field by field from the recommendation table."""
    unit = UNITS[resource]
    helps = {field.name: field.help for field in RECOMMENDATION_FIELDS}
    fields: dict[str, Any] = {
        "action": (Literal[ACTION_CODES], Field(description="what to do about this resource", examples=["lower"])),
        "reasons": (list[ReasonAnswer], Field(description="why, most basic first")),
    }
    for name in QUANTITIES:
        fields[f"{name}_{unit}"] = _field(f"{helps[name].split(',')[0]}, in {unit}", _EXAMPLES[resource][name])
    saving = f"request now minus target, in {unit} per instance; negative when it needs more, 0 when left alone"
    fields[f"saving_{unit}"] = _field(saving, _SAVING[resource])
    for name in RATIOS:
        fields[name] = _field(f"{helps[name]}; 0 to 1", 0.24)
    fields["missing"] = (
        dict[str, str],
        Field(
            description="why each field of this object that is null is null, by field",
            examples=[{f"limit_now_{unit}": "no limit is set, or its source cannot tell"}],
        ),
    )
    model: type[BaseModel] = create_model(f"{resource.capitalize()}Sizing", **fields)
    model.__doc__ = f"The {resource} of one instance of a workload: present, used and recommended, in {unit}."
    return model


def _field(description: str, example: float | None) -> tuple[Any, Any]:
    return float | None, Field(description=description, examples=[example])


CpuSizing, MemorySizing = (_sizing_model(resource) for resource in RESOURCES)
CpuExplanation, MemoryExplanation = (_explanation_model(UNITS[resource]) for resource in RESOURCES)


class WorkloadAnswer(BaseModel):
    """One workload: who it is, how long it was watched, and what to give it."""

    id: str = Field(description="stable id", examples=["prod/shop/Deployment/cart/server"])
    cluster: str = Field(examples=["prod"])
    namespace: str = Field(description="Kubernetes namespace, Slurm account, or `host`", examples=["shop"])
    kind: str = Field(description="kind of its owner", examples=["Deployment"])
    name: str = Field(examples=["cart"])
    container: str = Field(description="container or job step; may be empty", examples=["server"])
    instances_now: int | None = Field(description="instances that the nodes hold now", examples=[3])
    first_seen: datetime | None = Field(description="start of the first span seen, UTC")
    last_seen: datetime | None = Field(description="end of the newest span seen, UTC")
    covered_hours: float = Field(description="hours described by telemetry, summed over instances", examples=[161.5])
    oom_kills: int = Field(description="OOM kills counted", examples=[0])
    confidence_ratio: float | None = Field(
        description="share of the history that policy asks for; 0 to 1", examples=[0.96]
    )
    bottleneck: BottleneckAnswer = Field(description="what limits it: its GPUs where it has some, else its CPU side")
    gpu: GpuAnswer | None = Field(description="null when it never had a GPU")
    cpu: CpuSizing  # type: ignore[valid-type]  # made from the table above
    memory: MemorySizing  # type: ignore[valid-type]
    missing: dict[str, str] = Field(description="why each field of this object that is null is null, by field")


class ResourceTotals(BaseModel):
    """Sums over the workloads that the filter let through, each counted by its instances (1 where they are not known)."""

    requested: float = Field(description="requests now, of workloads that have a request and a target")
    needed: float = Field(description="targets of the same workloads")
    needed_without_request: float = Field(description="targets of workloads of which no request is known")
    workloads_compared: int = Field(description="how many workloads `requested` and `needed` sum over")


class Totals(BaseModel):
    cpu_cores: ResourceTotals
    memory_bytes: ResourceTotals


class WorkloadPage(BaseModel):
    workloads: list[WorkloadAnswer]
    total: int = Field(description="workloads that the filter let through, over all pages", examples=[1200])
    offset: int = Field(examples=[0])
    limit: int = Field(examples=[100])
    next: str | None = Field(
        description="path of the next page; null on the last", examples=["/v1/workloads?offset=100&limit=100"]
    )
    totals: Totals


class SignalAnswer(BaseModel):
    """What is known of one signal of a workload. Values are in `unit`."""

    name: str = Field(examples=["cpu_pressure_ratio"])
    unit: str = Field(examples=["ratio"])
    help: str
    values_seen: int = Field(examples=[3600])
    mean: float | None = Field(description="decayed mean, half-life 24 h", examples=[0.02])
    peak: float | None = Field(examples=[0.4])
    last: float | None = Field(examples=[0.01])
    missing: str | None = Field(description="why it was never seen; null when it was")


class DayAnswer(BaseModel):
    """Peaks of one UTC day."""

    day: str = Field(examples=["2026-01-31"])
    cpu_peak_cores: float | None
    cpu_p95_cores: float | None
    memory_peak_bytes: float | None
    memory_p95_bytes: float | None


class HourOfWeekAnswer(BaseModel):
    """The usual load of one hour of the week; only hours that were seen are listed."""

    hour_of_week: int = Field(description="0 is Monday 00:00 to 01:00 UTC", ge=0, le=167)
    cpu_mean_cores: float | None
    cpu_peak_cores: float | None
    memory_mean_bytes: float | None
    memory_peak_bytes: float | None


class EventAnswer(BaseModel):
    kind: str = Field(examples=["oom-killed"])
    time: datetime
    instance: str
    node: str
    details: dict[str, str]


class WorkloadDetail(WorkloadAnswer):
    """One workload with all that its profile says."""

    fingerprint: FingerprintAnswer | None = Field(description="which known workload it behaves like; of GPU workloads")
    nodes: list[str] = Field(description="nodes that hold an instance now, as cluster/node")
    cpu_side: CpuSideAnswer | None = Field(description="null before any CPU or memory telemetry")
    signals: list[SignalAnswer]
    gpu_signals: list[GpuSignalAnswer] = Field(description="empty without a GPU")
    framebuffer_days: list[FramebufferDay] = Field(description="oldest first, at most 32; empty without a GPU")
    days: list[DayAnswer] = Field(description="oldest first, at most 32")
    hours_of_week: list[HourOfWeekAnswer]
    events: list[EventAnswer] = Field(description="newest first, of those that the server holds")


class RecommendationAnswer(BaseModel):
    """What to give one workload, and on what evidence."""

    id: str = Field(examples=["prod/shop/Deployment/cart/server"])
    computed: datetime = Field(description="when it was decided, UTC")
    evidence_from: datetime | None = Field(description="start of the history of CPU and memory it rests on, UTC")
    evidence_to: datetime | None = Field(description="end of it, UTC")
    confidence_ratio: float | None = Field(
        description="share of the history that policy asks for; 0 to 1", examples=[0.96]
    )
    cpu: CpuSizing  # type: ignore[valid-type]
    memory: MemorySizing  # type: ignore[valid-type]
    cpu_explanation: CpuExplanation  # type: ignore[valid-type]
    memory_explanation: MemoryExplanation  # type: ignore[valid-type]
    mig: MigAnswer | None = Field(description="the MIG slice to give it; null when it never had a GPU")
    fingerprint: FingerprintAnswer | None = Field(description="which known workload it behaves like; of GPU workloads")
    missing: dict[str, str]


class UsageSeries(BaseModel):
    """One resource day by day, as long as `days`; null for a day on which it is not known."""

    request: list[float | None]
    target: list[float | None] = Field(description="what was recommended at the end of the day")
    usage_p50: list[float | None]
    usage_p95: list[float | None]
    usage_peak: list[float | None]


class Series(BaseModel):
    """Usage, request and recommendation of one workload over at most 32 days."""

    id: str = Field(examples=["prod/shop/Deployment/cart/server"])
    days: list[str] = Field(description="UTC days, oldest first", examples=[["2026-01-30", "2026-01-31"]])
    cpu_cores: UsageSeries
    memory_bytes: UsageSeries


class NodeList(BaseModel):
    nodes: list[Node] = Field(
        description="null in a field: the source cannot tell; `coverage` says which signals are seen"
    )
    total: int


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    status: Literal["ready"] = "ready"
    workloads: int | None = Field(description="null: not told where tokens are asked", examples=[1200])
