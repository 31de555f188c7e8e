"""What the API answers, as far as a program wants it. Units are in the names; None is what is not known."""

from __future__ import annotations

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Fields that a newer server adds are ignored."""


class Reason(Answer, frozen=True, kw_only=True):
    code: str
    sentence: str


class CpuSize(Answer, frozen=True, kw_only=True):
    action: str
    asked_cores: float | None = None
    asked_limit_cores: float | None = None
    request_cores: float | None = None
    limit_cores: float | None = None
    lower_cores: float | None = None
    upper_cores: float | None = None
    reasons: list[Reason] = []


class MemorySize(Answer, frozen=True, kw_only=True):
    action: str
    asked_bytes: float | None = None
    asked_limit_bytes: float | None = None
    request_bytes: float | None = None
    limit_bytes: float | None = None
    lower_bytes: float | None = None
    upper_bytes: float | None = None
    reasons: list[Reason] = []


class GpuOption(Answer, frozen=True, kw_only=True):
    count: int
    mig_profile: str | None = None
    share_ratio: float = 1.0
    speed_ratio: float | None = None
    kubernetes_resource: dict[str, str] = {}
    slurm_gres: str = ""


class Gpu(Answer, frozen=True, kw_only=True):
    action: str
    take: GpuOption
    alternatives: list[GpuOption] = []
    models: list[str] = []
    seen_on: str | None = None
    reasons: list[Reason] = []


class GpuChoice(Answer, frozen=True, kw_only=True):
    uuid: str
    model: str
    mig_profile: str | None = None


class Member(Answer, frozen=True, kw_only=True):
    node: str
    gpus: list[GpuChoice] = []


class Candidate(Answer, frozen=True, kw_only=True):
    node: str
    score: float
    gpus: list[GpuChoice] = []


class Refused(Answer, frozen=True, kw_only=True):
    reason: str
    count: int
    nodes: list[str] = []


class SpotAdvice(Answer, frozen=True, kw_only=True):
    sentence: str
    advised: bool | None = None
    checkpoint_interval_s: float | None = None
    stretch_ratio: float | None = None
    spot_usd: float | None = None
    on_demand_usd: float | None = None


class Placement(Answer, frozen=True, kw_only=True):
    placed: bool
    reason: str
    placement: list[Member] = []
    candidates: list[Candidate] = []
    refused: list[Refused] = []
    spot: SpotAdvice
    notes: list[str] = []


class Decision(Answer, frozen=True, kw_only=True):
    """What one job should get. source: `own-history`, `kin` or `request`."""

    source: str
    cpu: CpuSize
    memory: MemorySize
    id: str | None = None
    workload: str | None = None
    confidence_ratio: float | None = None
    gpu: Gpu | None = None
    members: int = 1
    placement: Placement | None = None
    kin: list[str] = []
    reasons: list[Reason] = []
    missing: dict[str, str] = {}


class CpuSizing(Answer, frozen=True, kw_only=True):
    action: str
    request_now_cores: float | None = None
    limit_now_cores: float | None = None
    target_cores: float | None = None
    lower_cores: float | None = None
    upper_cores: float | None = None
    limit_target_cores: float | None = None
    usage_p50_cores: float | None = None
    usage_p95_cores: float | None = None
    usage_peak_cores: float | None = None
    saving_cores: float | None = None
    reasons: list[Reason] = []


class MemorySizing(Answer, frozen=True, kw_only=True):
    action: str
    request_now_bytes: float | None = None
    limit_now_bytes: float | None = None
    target_bytes: float | None = None
    lower_bytes: float | None = None
    upper_bytes: float | None = None
    limit_target_bytes: float | None = None
    usage_p50_bytes: float | None = None
    usage_p95_bytes: float | None = None
    usage_peak_bytes: float | None = None
    saving_bytes: float | None = None
    reasons: list[Reason] = []


class Recommendation(Answer, frozen=True, kw_only=True):
    """What to give a workload that is known."""

    id: str
    cpu: CpuSizing
    memory: MemorySizing
    confidence_ratio: float | None = None
    computed: str | None = None


class Workload(Answer, frozen=True, kw_only=True):
    """One row of /v1/workloads."""

    id: str
    cluster: str
    namespace: str
    kind: str
    name: str
    container: str
    cpu: CpuSizing
    memory: MemorySizing
    instances_now: int | None = None
    confidence_ratio: float | None = None


class WorkloadPage(Answer, frozen=True, kw_only=True):
    workloads: list[Workload]
    next: str | None = None
