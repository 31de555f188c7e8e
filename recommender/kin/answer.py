"""What is answered of a job that has not run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.bottleneck import Bottleneck


@dataclass(frozen=True, slots=True)
class Expected:
    """The middle guess and the interval that holds the truth in 90 % of such jobs. high is infinite where too few workloads
    are known to state one."""

    guess: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Relative:
    """A workload like it. distance: 0 the same words and sizes, 1 nothing in common. weight_ratio: its part of the guess."""

    workload: str
    distance: float
    weight_ratio: float
    image: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class KinAnswer:
    """demand: by name of recommender.kin.measured.QUANTITIES, of one instance, in the unit that the name says; what is not
    there has its reason in `missing`. classes: share of time in each bottleneck class, largest first; bottleneck: the first
    of them. kin_weight: how many workloads just like it the guess is worth: 0.3 is one that is somewhat like it. own_ratio:
    part of the guess that is the job's own telemetry."""

    demand: Mapping[str, Expected] = field(default_factory=dict)
    bottleneck: Bottleneck | None = None
    classes: Mapping[Bottleneck, float] = field(default_factory=dict)
    kin: tuple[Relative, ...] = ()
    kin_weight: float = 0.0
    own_ratio: float = 0.0
    missing: Mapping[str, str] = field(default_factory=dict)
