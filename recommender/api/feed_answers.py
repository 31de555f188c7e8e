"""What GET /v1/recommendations answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from recommender.api.answers import CpuSizing, MemorySizing


class FeedQuery(BaseModel):
    """From where, and how long to wait for news."""

    model_config = ConfigDict(extra="forbid")

    since: str | None = Field(
        default=None,
        max_length=64 * 1024,
        description="`cursor` of the answer before, or the id of an event; null: everything there is",
    )
    wait: float = Field(
        default=0,
        ge=0,
        le=3600,
        allow_inf_nan=False,
        description="seconds to wait where nothing changed yet",
        examples=[30],
    )
    limit: int = Field(default=500, ge=1, le=5000, description="changes in an answer; a slab of 256 may come over it")


class ChangedWorkload(BaseModel):
    """A new target, limit, action or reason of one workload; what stands beside them is as of now."""

    kind: Literal["set"]
    workload: str = Field(examples=["prod/shop/Deployment/cart/server"])
    id: str = Field(description="of the recommendation", examples=["rec-0f5c1d2e3a4b5c6d-19aa3b2c4d"])
    computed: datetime | None = Field(description="newest evidence it rests on, UTC")
    changed: datetime | None = Field(description="evidence at which what is told here last changed, UTC")
    confidence_ratio: float | None
    cpu: CpuSizing  # type: ignore[valid-type]  # made from the unit
    memory: MemorySizing  # type: ignore[valid-type]


class RemovedWorkload(BaseModel):
    """A workload that was forgotten: nothing is recommended for it any more."""

    kind: Literal["removed"]
    workload: str


class ChangePage(BaseModel):
    reset: bool = Field(description="forget all that was told before, then take `changes`")
    changes: list[ChangedWorkload | RemovedWorkload]
    more: bool = Field(description="ask again at once with `cursor`: there may be more")
    cursor: str = Field(description="where you are now; opaque, and good at every replica and after a restart")
