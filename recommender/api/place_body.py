"""What POST /v1/place takes and gives. Units are in the names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.taints import EQUAL, EXISTS, Toleration
from recommender.placement.rank import SCORERS

Ratio = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
BottleneckWord = Literal["compute", "memory-bandwidth", "io", "latency", "idle", "unknown"]
FactorName = Literal[tuple(SCORERS)]  # type: ignore[valid-type]  # the names are those of the catalogue

_JOB: dict[str, Any] = {
    "cpu_cores": 8,
    "memory_bytes": 34359738368,
    "gpus": 1,
    "gpu_models": ["A100-SXM-80", "H100-SXM-80"],
    "bottleneck": "memory-bandwidth",
    "run_time_s": 36000,
    "spot": {"checkpoint_cost_s": 30, "restart_s": 60, "interruptions_per_hour": 0.05},
}
_GANG: dict[str, Any] = {
    "cpu_cores": 64,
    "memory_bytes": 549755813888,
    "gpus": 8,
    "members": 4,
    "labels": {"pool": "train"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
}


class Strict(BaseModel):
    """A part of a request: a field that does not exist is an error, not a silence."""

    model_config = ConfigDict(extra="forbid")


class SpotWish(Strict):
    """That it may be interrupted, and what that costs."""

    checkpoint_cost_s: float = Field(
        gt=0, le=1e6, description="time to write one checkpoint, as measured", examples=[30]
    )
    restart_s: float = Field(
        default=0, ge=0, le=1e6, description="from an interruption to running again", examples=[60]
    )
    interruptions_per_hour: float | None = Field(
        default=None, ge=0, le=3600, description="of one spot node, as counted; null: not known", examples=[0.05]
    )


class TolerationWish(Strict):
    """As a pod has it, in Kubernetes' own words."""

    key: str = Field(
        default="", max_length=317, description="empty, with `Exists`: every taint", examples=["nvidia.com/gpu"]
    )
    operator: Literal["", "Equal", "Exists"] = Field(default="Equal", description="empty: `Equal`")
    value: str = Field(default="", max_length=63, description="of the taint, for `Equal`")
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = Field(
        default="", description="empty: every one"
    )
    tolerationSeconds: int | None = Field(  # noqa: N815 - as in a pod
        default=None, description="how long it stays on a node that gets the taint; placement does not look at it"
    )

    @model_validator(mode="after")
    def _is_legal(self) -> Self:
        """What the API server would refuse."""
        if self.operator != EXISTS and not self.key:
            raise ValueError("an empty key means every taint: operator must be Exists")
        if self.operator == EXISTS and self.value:
            raise ValueError("with operator Exists value must be empty: any will do")
        return self


Tolerations = Annotated[list[TolerationWish], Field(max_length=100)]


def tolerations_of(asked: Iterable[TolerationWish]) -> tuple[Toleration, ...]:
    """Each once and in one order, so that equal wishes are one kind of request."""
    return tuple(sorted({Toleration(one.key, one.operator or EQUAL, one.value, one.effect) for one in asked}))


class PlaceRequest(Strict):
    """One job, or a gang of `members` that are alike, as the scheduler knows it. Quantities are per member."""

    model_config = ConfigDict(json_schema_extra={"examples": [_JOB, _GANG]})

    cpu_cores: float = Field(default=0, ge=0, le=4096, allow_inf_nan=False, description="CPU request")
    memory_bytes: int = Field(default=0, ge=0, le=2**50, description="memory request")
    gpus: int = Field(default=0, ge=0, le=64, description="GPUs on one node; with `mig_profile` slices of that size")
    gpu_share_ratio: float = Field(default=1, gt=0, le=1, description="share of one GPU; below 1 only with gpus = 1")
    mig_profile: str | None = Field(
        default=None, description="MIG slice to take, as NVML names it", examples=["3g.40gb"]
    )
    gpu_models: list[str] = Field(
        default=[], max_length=100, description="any of these, by NVML's name or the catalogue's; empty: all"
    )
    labels: dict[str, str] = Field(default={}, max_length=100, description="labels that the node must bear")
    tolerations: Tolerations = Field(
        default=[],
        description="taints that it bears, as in a pod; without, no node that is tainted or cordoned is taken",
    )
    members: int = Field(default=1, ge=1, le=1024, description="a gang: all of them are placed, or none")
    cluster: str | None = Field(default=None, description="only nodes of this cluster")
    nodes: list[str] | None = Field(
        default=None,
        max_length=20000,
        description="candidates: `cluster/node`, or plain names with `cluster`; null: all",
    )
    workload: str | None = Field(
        default=None,
        description="id of a workload that was seen before: its profile fills in what limits it where that is null",
        examples=["prod/ml/Job/train/main"],
    )
    bottleneck: BottleneckWord | None = Field(default=None, description="what limits it; null: see `workload`")
    computes_fp64: bool | None = Field(
        default=None, description="it computes in FP64: never on a GPU that has hardly any; null: see `workload`"
    )
    compute_demand_ratio: Ratio | None = Field(default=None, description="share of a GPU's compute that it keeps busy")
    bandwidth_demand_ratio: Ratio | None = Field(default=None, description="share of a GPU's memory bandwidth")
    run_time_s: float | None = Field(default=None, gt=0, le=1e9, description="expected run time; null: not known")
    spot: SpotWish | None = Field(default=None, description="null: it cannot be interrupted, so no spot node is taken")
    weights: dict[FactorName, Annotated[float, Field(ge=0, le=1000)]] | None = Field(  # type: ignore[valid-type]
        default=None, description=f"weight of each factor instead of the usual: {', '.join(SCORERS)}; 0: not asked"
    )
    limit: int = Field(default=10, ge=1, le=1000, description="most candidates in the answer")


class GpuChoice(BaseModel):
    """One GPU, or one MIG slice of it."""

    uuid: str = Field(description="of the GPU or the MIG instance", examples=["GPU-1f9a"])
    model: str = Field(examples=["NVIDIA A100-SXM4-80GB"])
    mig_profile: str | None = Field(description="null: the GPU itself")


class Member(BaseModel):
    node: str = Field(description="cluster/node", examples=["prod/gpu-17"])
    gpus: list[GpuChoice]


class FactorAnswer(BaseModel):
    name: FactorName = Field(examples=["suitability"])  # type: ignore[valid-type]
    score: float = Field(description="0 to 1, 1 is best; 0.5 where nothing is known", examples=[0.98])
    weight: float = Field(examples=[1.0])
    sentence: str = Field(examples=["memory-bound: A100-SXM-80 gives 679.7 GB/s of memory bandwidth per $/h"])


class CandidateAnswer(Member):
    score: float = Field(description="weighted mean of the factors, 0 to 1", examples=[0.91])
    factors: list[FactorAnswer]


class RefusedAnswer(BaseModel):
    """Nodes that cannot take it, by the first thing that keeps it off them."""

    reason: str = Field(examples=["fewer than 8 GPUs wholly free"])
    count: int = Field(examples=[3])
    nodes: list[str]


class SpotAnswer(BaseModel):
    advised: bool | None = Field(description="whether spot is cheaper; null: not known, the sentence says why")
    sentence: str
    checkpoint_interval_s: float | None = Field(
        description="write one this often (Daly); null: none is needed", examples=[1920.0]
    )
    stretch_ratio: float | None = Field(
        description="run time with checkpoints and lost work over run time", examples=[1.04]
    )
    spot_usd: float | None = Field(description="for the whole run of one member", examples=[10.4])
    on_demand_usd: float | None = Field(examples=[30.0])


class Basis(BaseModel):
    """What the answer rests on."""

    as_of: datetime | None = Field(description="newest message that the view has read, UTC; null: none")
    nodes: int = Field(description="candidate nodes of the inventory", examples=[1500])
    nodes_with_unknown_taints: int = Field(
        description="those of them of which no source tells whether they are tainted or cordoned", examples=[0]
    )
    gpus_in_use: int = Field(description="GPUs there that somebody holds", examples=[4100])
    request_kinds: int = Field(description="kinds of GPU requests that stand now: what free room is priced for")


class PlaceAnswer(BaseModel):
    placed: bool = Field(description="whether there is room for all members; advice, nothing is reserved")
    reason: str = Field(examples=["all 4 members within rack 'prod/a7'"])
    level: str | None = Field(description="nvlink, rack, zone or cluster: what the gang stays within; null: one member")
    domain: str | None = Field(description="name of that domain")
    placement: list[Member] = Field(description="where each member goes; empty when not all have room")
    candidates: list[CandidateAnswer] = Field(description="nodes for one member, best first")
    eligible_nodes: int = Field(description="nodes that one member could go to, beyond `candidates`", examples=[412])
    refused: list[RefusedAnswer] = Field(description="most frequent reason first")
    spot: SpotAnswer
    basis: Basis
    notes: list[str] = Field(description="what inventory cannot tell, and how it was counted")
