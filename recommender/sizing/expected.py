"""What the experts ask for, where they know a workload for long enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array
from models.profile import RESOURCES
from models.recommendation import CARRIERS
from recommender.sizing.experts.cold import ENOUGH_DAYS
from recommender.sizing.records import Records

_R = len(RESOURCES)


@dataclass(frozen=True, slots=True)
class Expected:
    """limit, slack, overrun, own_share: [n, 2], NaN for a workload that the experts know for under ENOUGH_DAYS;
    carrier, carrier_weight, carrier_limit: [n, 2, CARRIERS]."""

    limit: Array
    slack: Array
    overrun: Array
    own_share: Array
    carrier: Array
    carrier_weight: Array
    carrier_limit: Array

    @classmethod
    def nothing(cls, n: int) -> Expected:
        none = np.full((n, _R), np.nan)
        carriers = np.full((n, _R, CARRIERS), np.nan)
        return cls(none, none, none, none, np.zeros((n, _R, CARRIERS), np.uint8), carriers, carriers)

    @classmethod
    def of(cls, records: Records) -> Expected:
        found = records.arrays
        known = (found["days"] >= ENOUGH_DAYS) & ~np.isnan(found["limit"])
        limit, slack, overrun, own = (
            np.where(known, found[name], np.nan) for name in ("limit", "slack", "overrun", "own_share")
        )
        weight, size = (np.where(known[..., None], found[f"carrier_{name}"], np.nan) for name in ("weight", "limit"))
        return cls(limit, slack, overrun, own, np.where(known[..., None], found["carrier"], 0), weight, size)

    def columns(self) -> dict[str, Array]:
        """As fields of the recommendation table."""
        return {
            "expert_limit": self.limit,
            "expert_slack_ratio": self.slack,
            "expert_overrun_ratio": self.overrun,
            "own_share_ratio": self.own_share,
            "carrier": self.carrier,
            "carrier_weight": self.carrier_weight,
            "carrier_limit": self.carrier_limit,
        }
