"""What POST /v1/expect takes and gives. Units are in the names."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from recommender.api.place_body import Strict
from recommender.kin.measured import QUANTITIES

_WORDS = 64
_JOB: dict[str, Any] = {
    "image": "ghcr.io/acme/bert:1.4",
    "command": ["python", "train.py"],
    "args": ["--batch-size", "32"],
    "owner": "ml",
    "gpus": 1,
    "gpu_model": "A100-SXM-80",
}
_HELP = {
    "cpu_p50_cores": ("median CPU use", 3.1),
    "cpu_p95_cores": ("95th percentile of CPU use", 5.9),
    "cpu_peak_cores": ("highest CPU use", 8.0),
    "memory_p50_bytes": ("median memory in use", 9663676416),
    "memory_p95_bytes": ("95th percentile of memory in use", 12884901888),
    "memory_peak_bytes": ("highest memory in use", 15032385536),
    "gpu_memory_peak_bytes": ("highest device memory in use on one GPU", 34359738368),
    "run_time_s": ("from start to end", 7200),
}


class ExpectRequest(Strict):
    """A job as the scheduler knows it. What is not known is left out. Quantities are of one instance."""

    model_config = ConfigDict(json_schema_extra={"examples": [_JOB]})

    workload: str = Field(
        default="", max_length=2000, description="its id, where it is known: its own telemetry then counts as well"
    )
    image: str = Field(default="", max_length=2000, description="container image")
    command: list[str] = Field(default=[], max_length=_WORDS, description="what is started")
    args: list[str] = Field(default=[], max_length=_WORDS, description="its arguments")
    model: str = Field(default="", max_length=1000, description="name of the model that it trains or serves")
    batch_size: float | None = Field(default=None, gt=0, le=1e9, description="null: what the command says, if it does")
    labels: dict[str, str] = Field(default={}, max_length=_WORDS, description="labels that the job bears")
    owner: str = Field(default="", max_length=253, description="who submits it: user or account")
    gpu_model: str = Field(default="", max_length=253, description="by NVML's name or the catalogue's")
    gpus: int | None = Field(default=None, ge=0, le=64, description="GPUs on one node; null: not known")
    cpu_cores: float | None = Field(default=None, gt=0, le=4096, allow_inf_nan=False, description="CPU request")
    memory_bytes: float | None = Field(default=None, gt=0, le=2**50, allow_inf_nan=False, description="memory request")


def _interval(name: str) -> type[BaseModel]:
    """The guess and the interval that holds the truth in nine of ten such jobs."""
    what, example = _HELP[name]
    high = Field(description="null: too few workloads are known to state one", examples=[2 * example])
    fields: dict[str, Any] = {
        "guess": (float, Field(description=what, examples=[example])),
        "low": (float, Field(examples=[example / 2])),
        "high": (float | None, high),
    }
    model: type[BaseModel] = create_model("Expected" + "".join(part.capitalize() for part in name.split("_")), **fields)
    model.__doc__ = _interval.__doc__
    return model


class ClassShare(BaseModel):
    bottleneck: str = Field(description="class, as in a workload's `bottleneck`", examples=["memory-bandwidth"])
    io_kind: str | None = Field(description="kind of I/O; null for other classes", examples=[None])
    time_ratio: float = Field(description="share of its time", examples=[0.7])


class RelativeAnswer(BaseModel):
    """A workload that the job is like."""

    workload: str = Field(examples=["prod/ml/Job/bert-large/main"])
    distance: float = Field(description="0: the same words and sizes; 1: nothing in common", examples=[0.2])
    weight_ratio: float = Field(description="its part of the guess", examples=[0.4])
    image: str = Field(description="empty: not known", examples=["ghcr.io/acme/bert:1.3"])
    command: str = Field(description="empty: not known", examples=["python train.py --batch-size 16"])


class _ExpectFrame(BaseModel):
    """What a job will need, told from workloads like it, and from its own first telemetry where there is some."""

    bottleneck: str | None = Field(description="what will limit it; the first of `time`", examples=["memory-bandwidth"])
    time: list[ClassShare] = Field(description="largest first; empty where no class of its kin is known")
    kin: list[RelativeAnswer] = Field(description="most alike first, at most five")
    kin_weight: float = Field(description="how many workloads just like it the guess is worth", examples=[3.4])
    own_ratio: float = Field(description="part of the answer that is its own telemetry", examples=[0.0])
    missing: dict[str, str] = Field(description="why each field of this object that is null or empty is so, by field")


ExpectAnswer = create_model(
    "ExpectAnswer",
    __base__=_ExpectFrame,
    __doc__=_ExpectFrame.__doc__,
    **{name: (_interval(name) | None, Field(description=_HELP[name][0])) for name in QUANTITIES},  # type: ignore[call-overload]
)
