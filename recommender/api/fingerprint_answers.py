"""What the API says of a workload's fingerprint."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class NeighbourAnswer(BaseModel):
    """A workload of which a run was like the start of this one's newest run."""

    workload: str = Field(examples=["prod/ml/Job/bert-large/main"])
    similarity_ratio: float = Field(
        description="share of the model's trees that take both for the same", examples=[0.71]
    )
    distance: float = Field(description="between their embeddings; 0 the same", examples=[0.8])


class FingerprintAnswer(BaseModel):
    """Which known workload it behaves like, told from utilisation and memory in the first minutes of its newest run."""

    verdict: Literal["known", "unknown", "nothing-visible", "insufficient"] = Field(
        description="like `workload`; like none that is known; no workload is to be seen on its GPU; too little was seen"
    )
    sentence: str = Field(examples=["it behaves like a workload that is known"])
    workload: str | None = Field(description="what most of `nearest` are; null unless known; may be itself, run before")
    confidence_ratio: float = Field(description="its share of their votes, by similarity", examples=[0.92])
    similarity_ratio: float | None = Field(
        description="mean over `nearest`; what `unknown` is judged by", examples=[0.66]
    )
    nearest: list[NeighbourAnswer] = Field(
        description="most similar first, at most five; empty when nothing was compared"
    )
    model_version: str = Field(description="of `sizewise train fingerprint`", examples=["1790000000000"])
