"""What POST /v1/recommend takes and gives. Units are in the names."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from recommender.api.answers import ReasonAnswer
from recommender.api.place_body import FactorName, PlaceAnswer, SpotWish, Strict, Tolerations
from recommender.api.problems import TAG
from recommender.placement.rank import SCORERS

MOST_JOBS = 100
"""Of one batch. A job over 1,500 nodes takes 10 ms, so that a full batch takes a second."""
_WORDS = 64
_JOB: dict[str, Any] = {
    "workload": "prod/ml/Job/train/main",
    "image": "ghcr.io/acme/bert:1.4",
    "command": ["python", "train.py", "--batch-size", "32"],
    "cpu_cores": 8,
    "memory_bytes": 34359738368,
    "gpus": 1,
    "gpu_models": ["A100-SXM-80"],
    "run_time_s": 36000,
    "deadline_s": 86400,
    "spot": {"checkpoint_cost_s": 30, "restart_s": 60, "interruptions_per_hour": 0.05},
}


class JobRequest(Strict):
    """One job, or a gang of `members` that are alike, as the scheduler knows it. Quantities are per member."""

    model_config = ConfigDict(json_schema_extra={"examples": [_JOB]})

    workload: str | None = Field(
        default=None,
        max_length=2000,
        description="its id, where it is known; null: made of the five parts below, where `kind` and `name` are there",
        examples=["prod/ml/Job/train/main"],
    )
    cluster: str | None = Field(
        default=None,
        max_length=253,
        description="of the job and of its candidate nodes; null: of the job the only one that is known",
    )
    namespace: str = Field(default="", max_length=253, description="Kubernetes namespace, Slurm account, or `host`")
    kind: str = Field(default="", max_length=253, description="of its owner: `Deployment`, `CronJob`, `slurm-job`")
    name: str = Field(default="", max_length=1000, description="of its owner: stable from run to run")
    container: str = Field(default="", max_length=253, description="container or job step")
    image: str = Field(default="", max_length=2000, description="container image")
    command: list[str] = Field(default=[], max_length=_WORDS, description="what is started")
    args: list[str] = Field(default=[], max_length=_WORDS, description="its arguments")
    labels: dict[str, str] = Field(default={}, max_length=_WORDS, description="labels that the job bears")
    owner: str = Field(default="", max_length=253, description="who submits it: user or account")
    cpu_cores: float | None = Field(default=None, ge=0, le=4096, allow_inf_nan=False, description="CPU request")
    cpu_limit_cores: float | None = Field(default=None, gt=0, le=4096, allow_inf_nan=False, description="CPU limit")
    memory_bytes: int | None = Field(default=None, ge=0, le=2**50, description="memory request")
    memory_limit_bytes: int | None = Field(default=None, gt=0, le=2**50, description="memory limit")
    gpus: int = Field(default=0, ge=0, le=64, description="GPUs on one node; with `mig_profile` slices of that size")
    gpu_share_ratio: float = Field(default=1, gt=0, le=1, description="share of one GPU; below 1 only with gpus = 1")
    mig_profile: str | None = Field(default=None, description="MIG slice that is asked for", examples=["3g.40gb"])
    gpu_models: list[str] = Field(
        default=[], max_length=100, description="any of these, by NVML's name or the catalogue's; empty: all"
    )
    members: int = Field(default=1, ge=1, le=1024, description="a gang: all of them are placed, or none")
    run_time_s: float | None = Field(default=None, gt=0, le=1e9, description="expected run time; null: from its kin")
    deadline_s: float | None = Field(
        default=None,
        gt=0,
        le=1e9,
        description="from now until it must have ended; spot that would miss it is not advised",
    )
    priority: Literal["low", "normal", "high"] = Field(
        default="normal",
        description="`high`: no spot node, and no MIG slice near the slowdown that policy allows; `low`: cost counts double",
    )
    nodes: list[str] | None = Field(
        default=None,
        max_length=20000,
        description="candidates: `cluster/node`, or plain names with `cluster`; null: all of the inventory",
    )
    node_labels: dict[str, str] = Field(default={}, max_length=100, description="labels that the node must bear")
    tolerations: Tolerations = Field(
        default=[],
        description="taints that it bears, as in a pod; without, no node that is tainted or cordoned is taken",
    )
    spot: SpotWish | None = Field(default=None, description="null: it cannot be interrupted, so no spot node is taken")
    weights: dict[FactorName, Annotated[float, Field(ge=0, le=1000)]] | None = Field(  # type: ignore[valid-type]
        default=None, description=f"weight of each factor instead of the usual: {', '.join(SCORERS)}; 0: not asked"
    )
    limit: int = Field(default=10, ge=1, le=100, description="most candidates in the answer")


def _form(body: Any) -> str:
    return f"{TAG}jobs" if isinstance(body, list) else f"{TAG}job"


Jobs = Annotated[
    Annotated[JobRequest, Tag(f"{TAG}job")]
    | Annotated[list[JobRequest], Field(min_length=1, max_length=MOST_JOBS), Tag(f"{TAG}jobs")],
    Discriminator(_form),
]
"""One job, or a list of them, which is answered by a list in its order."""


class _SizeAnswer(BaseModel):
    action: Literal["insufficient", "leave", "raise", "lower", "set"] = Field(
        description="what becomes of the request: too little known, as it is, up, down, or none was asked for"
    )


class DecidedCpu(_SizeAnswer):
    """CPU of one member, in cores."""

    asked_cores: float | None = Field(examples=[8.0])
    asked_limit_cores: float | None
    request_cores: float | None = Field(description="request to set", examples=[3.2])
    limit_cores: float | None = Field(description="limit to set; null: none")
    lower_cores: float | None = Field(description="a request under this is too small")
    upper_cores: float | None = Field(description="a request over this is waste")
    reasons: list[ReasonAnswer]
    missing: dict[str, str] = Field(description="why each field of this object that is null is null, by field")


class DecidedMemory(_SizeAnswer):
    """Memory of one member, in bytes."""

    asked_bytes: float | None = Field(examples=[34359738368])
    asked_limit_bytes: float | None
    request_bytes: float | None = Field(description="request to set", examples=[21474836480])
    limit_bytes: float | None = Field(description="limit to set; null: none")
    lower_bytes: float | None = Field(description="a request under this is too small")
    upper_bytes: float | None = Field(description="a request over this is waste")
    reasons: list[ReasonAnswer]
    missing: dict[str, str] = Field(description="why each field of this object that is null is null, by field")


class GpuOptionAnswer(BaseModel):
    mig_profile: str | None = Field(description="null: whole GPUs", examples=["3g.40gb"])
    count: int = Field(description="slices, or GPUs", examples=[1])
    share_ratio: float = Field(description="of one GPU, by time; 1: all of it")
    speed_ratio: float | None = Field(description="expected speed over the whole GPU; null: not predicted")
    kubernetes_resource: dict[str, str] = Field(examples=[{"nvidia.com/mig-3g.40gb": "1"}])
    slurm_gres: str = Field(examples=["gpu:a100_3g.40gb:1"])


class DecidedGpu(BaseModel):
    """GPUs of one member."""

    action: Literal["slice", "whole", "probe", "as-asked"] = Field(
        description="`take` is a MIG slice; the whole GPU; the safe answer while signals do not decide; or what was asked "
        "for, because MIG is no answer or nothing is known"
    )
    take: GpuOptionAnswer
    alternatives: list[GpuOptionAnswer] = Field(description="what would do as well, best first")
    asked: GpuOptionAnswer
    models: list[str] = Field(description="GPU models that will do; empty: any")
    seen_on: str | None = Field(description="GPU model that the advice rests on; null: none", examples=["A100-SXM-80"])
    reasons: list[ReasonAnswer]


class DecisionAnswer(BaseModel):
    """What one job should get, on what evidence."""

    id: str | None = Field(
        description="of the recommendation it rests on", examples=["rec-0f5c1d2e3a4b5c6d-19aa3b2c4d"]
    )
    workload: str | None = Field(examples=["prod/ml/Job/train/main"])
    source: Literal["own-history", "kin", "request"] = Field(
        description="where the answer comes from: its own history, workloads like it, or nothing but what was asked"
    )
    confidence_ratio: float | None = Field(description="0 to 1; null: nothing is known of its use")
    cpu: DecidedCpu
    memory: DecidedMemory
    gpu: DecidedGpu | None = Field(description="null: no GPU is asked for")
    members: int
    placement: PlaceAnswer | None = Field(
        description="as of /v1/place, for these sizes and this `gpu.take`; spot advice in it"
    )
    kin: list[str] = Field(description="workloads that it was told from where `source` is `kin`, most alike first")
    reasons: list[ReasonAnswer] = Field(description="of the answer as a whole")
    missing: dict[str, str] = Field(description="why each field of this object that is null is null, by field")
