"""What POST /v1/pack takes and gives. Units are in the names."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from recommender.api.place_body import Strict, Tolerations

Name = Annotated[str, Field(min_length=1, max_length=500)]
Start = Annotated[int, Field(ge=0, le=15)]

_WORKLOADS: dict[str, Any] = {
    "workloads": [
        {"name": "notebook", "replicas": 6, "mig_profiles": ["1g.10gb"]},
        {"name": "finetune", "replicas": 2, "memory_bytes": 30000000000, "compute_share_ratio": 0.4},
    ],
    "make_room_for": ["3g.40gb"],
}
_RUNNING: dict[str, Any] = {"namespaces": ["ml"], "cluster": "prod"}
_SERVICES: dict[str, Any] = {
    "services": [
        {
            "name": "resnet",
            "requests_per_s": 1200,
            "latency_limit_s": 0.2,
            "points": [
                {"mig_profile": "1g.10gb", "batch": 4, "processes": 2, "requests_per_s": 310, "latency_s": 0.026},
                {"mig_profile": "2g.20gb", "batch": 8, "processes": 2, "requests_per_s": 640, "latency_s": 0.025},
            ],
        }
    ],
    "kinds": [{"model": "A100-SXM-80"}],
}


class PackWorkload(Strict):
    """Replicas that each take one slice: of one of the sizes named, of any that is large enough, or, where neither sizes nor
    memory are named, of those that do by the profile of the workload that `name` is."""

    name: Name = Field(description="a workload id, so that its slices of today are known as its own; or any name")
    replicas: int | None = Field(
        default=None, ge=1, le=10000, description="null: 1; by its profile as many as hold a GPU now"
    )
    mig_profiles: list[str] = Field(
        default=[],
        max_length=50,
        description="sizes that will do, as NVML names them or short (`3g`); empty: by the needs, or the profile",
    )
    memory_bytes: int | None = Field(default=None, gt=0, le=2**50, description="usable memory that one replica needs")
    compute_share_ratio: float = Field(default=0, ge=0, le=1, description="share of the GPU's compute that it needs")


class Point(Strict):
    """One measurement of a service on one slice, all its processes together."""

    mig_profile: str = Field(examples=["1g.10gb"])
    model: str | None = Field(default=None, description="GPU model it was measured on; null: holds for every kind")
    batch: int = Field(ge=1, le=10**6)
    processes: int = Field(default=1, ge=1, le=1000)
    requests_per_s: float = Field(gt=0, le=1e9)
    latency_s: float = Field(gt=0, le=1e6, description="of one batch")


class PackService(Strict):
    """An inference service: its rate is covered by slices, each with the batch and processes that keep the latency."""

    name: Name
    requests_per_s: float = Field(gt=0, le=1e9)
    latency_limit_s: float = Field(gt=0, le=1e6)
    points: list[Point] = Field(min_length=1, max_length=1000)


class GivenInstance(Strict):
    mig_profile: str = Field(examples=["3g.40gb"])
    start: Start = Field(description="its first memory slice")
    tenant: str = Field(default="", max_length=500, description="who runs on it; empty: free")


class GivenGpu(Strict):
    """A GPU with what stands on it now."""

    uuid: Name = Field(examples=["GPU-1f9a"])
    model: str = Field(description="by NVML's name or the catalogue's", examples=["NVIDIA A100-SXM4-80GB"])
    instances: list[GivenInstance] = Field(default=[], max_length=16)


class GivenKind(Strict):
    """GPUs to plan with that need not exist."""

    model: str = Field(description="by NVML's name or the catalogue's", examples=["A100-SXM-80"])
    count: int | None = Field(default=None, ge=1, le=10000, description="null: as many as it takes")
    cost: float = Field(default=1, gt=0, le=1e6, description="what one counts for; 1 each: fewest GPUs")


class PackRequest(Strict):
    """What to pack, onto which GPUs: those of the inventory, or `gpus`, or `kinds`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WORKLOADS, _SERVICES, _RUNNING]})

    workloads: list[PackWorkload] = Field(default=[], max_length=1000)
    services: list[PackService] = Field(default=[], max_length=1000)
    namespaces: list[Name] = Field(
        default=[],
        max_length=1000,
        description="workloads of these that hold GPUs now, each sized by its profile, from whole GPUs too; `*`: of all",
    )
    cluster: str | None = Field(default=None, description="GPUs of this cluster's inventory; null: of all")
    nodes: list[str] | None = Field(
        default=None, max_length=20000, description="only GPUs of these `cluster/node`; null: all"
    )
    gpus: list[GivenGpu] | None = Field(
        default=None, min_length=1, max_length=2000, description="instead of the inventory"
    )
    kinds: list[GivenKind] | None = Field(
        default=None, min_length=1, max_length=20, description="instead of both: a plan on paper, without moves"
    )
    tolerations: Tolerations = Field(
        default=[], description="taints that all of it bears: GPUs of the inventory's nodes with others are left alone"
    )
    others: Literal["stay", "end"] = Field(
        default="stay",
        description="tenants of today that are not named: keep a slice of their size, or are taken for ended",
    )
    make_room_for: list[str] = Field(
        default=[], max_length=20, description="sizes for which to say what moves would make room today"
    )
    latency_share_ratio: float = Field(
        default=0.5, gt=0, le=1, description="share of a latency limit for the batch itself"
    )
    rate_headroom_ratio: float = Field(default=0, ge=0, le=10, description="added to each service's rate")
    time_limit_s: float = Field(
        default=5, gt=0, le=30, description="for the solver; after it the best found, or greedy"
    )


class SlotAnswer(BaseModel):
    mig_profile: str = Field(examples=["3g.40gb"])
    start: int = Field(description="its first memory slice", examples=[4])


class InstanceAnswer(SlotAnswer):
    tenant: str = Field(examples=["resnet"])
    whole: bool = Field(description="it has the GPU itself, with MIG off; `mig_profile` is the size of all of it")
    batch: int | None = Field(description="of a service; null: a workload")
    processes: int | None


class PackedGpuAnswer(BaseModel):
    """One GPU in use."""

    gpu: str = Field(description="uuid; with `kinds` a number", examples=["GPU-1f9a"])
    node: str | None = Field(description="cluster/node; null: not of the inventory")
    model: str = Field(examples=["A100-SXM-80"])
    mig_to_turn_on: bool = Field(description="MIG is off on it now; turning it on needs the GPU idle")
    instances: list[InstanceAnswer] = Field(description="by start")
    fits: list[str] = Field(description="sizes that can still be created")
    blocked: list[str] = Field(description="sizes that would fit, were the free slices in one place")
    stranded_ratio: float = Field(description="share of its compute that is free and in no size that can be created")


class StepAnswer(SlotAnswer):
    action: Literal["create", "delete"]
    gpu: str
    tenant: str
    parked: bool = Field(description="on its way: it moves once more")


class MovesAnswer(BaseModel):
    """From the layout of today to the packed one; in this order nobody is ever without a slice."""

    steps: list[StepAnswer]
    blocked: list[str] = Field(description="GPUs whose layout cannot be reached without stopping a tenant")
    reason: str = Field(description="why; empty: all can be reached")


class RelocationAnswer(BaseModel):
    tenant: str
    source_gpu: str
    source: SlotAnswer
    gpu: str
    slot: SlotAnswer


class DefragAnswer(BaseModel):
    """The fewest live moves after which one more slice of this size can be created today."""

    mig_profile: str = Field(examples=["3g.40gb"])
    possible: bool
    gpu: str | None = Field(description="where it can then be created; null: no set of moves helps")
    slot: SlotAnswer | None
    moves: list[RelocationAnswer] = Field(description="in order, each creates before it deletes; empty: it can be now")
    moved_memory_slices: int


class Unplaced(BaseModel):
    name: str
    amount: float = Field(description="replicas, or requests/s, that found no room")
    reason: str


class LeftOut(BaseModel):
    gpu: str
    node: str
    reason: str = Field(examples=["it is in use as a whole GPU"])


class SizedAnswer(BaseModel):
    """A workload whose sizes its profile told."""

    name: str = Field(description="workload id")
    replicas: int = Field(examples=[2])
    mig_profiles: list[str] = Field(
        description="sizes that will do on GPUs of the model it was seen on; empty: it stays as it is",
        examples=[["3g.40gb"]],
    )
    reason: str = Field(examples=["3g.40gb keeps 96% of its speed, expected"])


class PackAnswer(BaseModel):
    gpus_used: int = Field(examples=[3])
    cost: float = Field(description="GPUs times their cost")
    bound: float | None = Field(description="no packing can cost less; null: the solver did not run to an answer")
    proven: bool = Field(description="whether the cost is proven to be the lowest, with everything placed")
    method: Literal["highs", "greedy"] = Field(description="greedy: legal, but may need more GPUs than the fewest")
    reasons: list[str]
    unplaced: list[Unplaced]
    layout: list[PackedGpuAnswer] = Field(description="GPUs in use, as they shall be")
    moves: MovesAnswer
    defrag: list[DefragAnswer]
    sized: list[SizedAnswer] = Field(description="workloads that were sized by their profile")
    left_out: list[LeftOut] = Field(description="GPUs of the inventory that were not packed onto, and why")
    notes: list[str] = Field(description="which nodes taints keep it off, and what inventory cannot tell")
