"""What is recommended for one workload, as a review needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResourceAdvice:
    """Of one resource, in cores or bytes; NaN: too little was seen. action, reasons: of models.reasons, as plain numbers,
    because making an enum of each takes longer than all else that is done with them."""

    action: int
    reasons: int
    target: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Advice:
    """id: of the recommendation. resources: in the order of models.profile.RESOURCES."""

    id: str
    workload: str
    confidence: float
    resources: tuple[ResourceAdvice, ResourceAdvice]


@dataclass(frozen=True, slots=True)
class SliceAdvice:
    """A MIG slice for a workload that has a whole GPU. resource: as the device plugin calls it. speed_ratio: expected,
    over that on the whole GPU. free: nodes, by their labels, that hold such a slice which nobody has now."""

    resource: str
    profile: str
    speed_ratio: float
    free: tuple[Mapping[str, str], ...]
