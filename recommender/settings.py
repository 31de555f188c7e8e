"""The recommender's settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from recommender.sizing.settings import PolicyOverride, SizingPolicy
from stream.consume import ConsumeSettings


@dataclass(frozen=True, slots=True)
class RecommenderSettings:
    group: str = "recommender"
    """Consumer group: recommenders of one group share the partitions."""
    sizing: SizingPolicy = field(default_factory=SizingPolicy)
    """For every workload that no override matches."""
    overrides: tuple[PolicyOverride, ...] = ()
    """Applied in order to the workloads they match, so the last one wins."""
    consume: ConsumeSettings = field(default_factory=ConsumeSettings)
    """How often results are committed."""

    def __post_init__(self) -> None:
        for override in self.overrides:
            override.applied_to(self.sizing)
