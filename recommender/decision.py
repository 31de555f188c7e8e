"""One answer to "what should this job get?": the vocabulary between who decides and who writes it down for a scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from recommender.mig.eligible import Because

Source = Literal["own-history", "kin", "request"]
SizeAction = Literal["insufficient", "leave", "raise", "lower", "set"]
Format = Literal["json", "kubernetes-patch", "dra", "slurm"]
"""In whose words a decision is told: see recommender.render."""
GpuAction = Literal["slice", "whole", "probe", "as-asked"]


@dataclass(frozen=True, slots=True)
class Size:
    """One resource of one member, in cores or bytes. None: not known, or none is set.

    asked, asked_limit: as the scheduler has it. request, limit: what to set. lower, upper: a request outside is too small,
    or waste.
    """

    asked: float | None
    asked_limit: float | None
    request: float | None
    limit: float | None
    lower: float | None
    upper: float | None
    action: SizeAction
    because: tuple[Because, ...] = ()


@dataclass(frozen=True, slots=True)
class GpuOption:
    """`count` slices of `mig_profile`, or GPUs where that is empty. share_ratio: of one GPU, by time; 1: all of it.
    speed_ratio: expected, over the whole GPU."""

    mig_profile: str
    count: int
    share_ratio: float = 1.0
    speed_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class GpuChoice:
    """models: GPU models that will do, empty: any. seen_on: the model that the advice rests on, empty: none.
    alternatives: what would do as well, best first."""

    asked: GpuOption
    take: GpuOption
    alternatives: tuple[GpuOption, ...]
    models: tuple[str, ...]
    seen_on: str
    action: GpuAction
    because: tuple[Because, ...] = ()

    @property
    def model(self) -> str:
        """One that it may run on: the one that it was seen on if it may, else the first that will do."""
        return self.seen_on if self.seen_on in self.models or not self.models else self.models[0]


@dataclass(frozen=True, slots=True)
class Decision:
    """id: of the recommendation that it rests on; empty: there is none. workload: its id; empty: not known.
    placement: the body of a PlaceAnswer; None: nothing is asked for that could be placed. kin: workloads that it was told
    from, most alike first."""

    workload: str
    id: str
    source: Source
    confidence: float | None
    cpu: Size
    memory: Size
    gpu: GpuChoice | None
    members: int = 1
    placement: Mapping[str, Any] | None = None
    kin: tuple[str, ...] = ()
    because: tuple[Because, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
