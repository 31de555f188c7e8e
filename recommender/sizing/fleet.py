"""What workloads teach each other: mean losses by class, how often each price of risk was exceeded, where classes end.

Each partition keeps its own sums, and all partitions' sums are added up where they are used, so that a partition that
moves takes its part along and nothing is counted twice. Bounded: 130 KB a partition, whatever the number of workloads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models.columns import Array, Columns, Field
from models.profile import RESOURCES
from recommender.sizing.experts.calibrate import GROUPS, OWN_DAYS, PRICES, Realised, day_of_groups, group_cuts
from recommender.sizing.experts.catalogue import EXPERTS
from recommender.sizing.experts.ledger import Losses
from recommender.sizing.experts.prior import CLASSES, Cuts, Prior, Traits
from recommender.sizing.records import NAMES

_R = len(RESOURCES)
POINTS = 65
"""Quantiles of each trait that a partition tells the others: classes then end within 1 % of their workloads."""
_NAN = float("nan")

FLEET_FIELDS: tuple[Field, ...] = (
    *(
        Field(f"{name}_{part}", "float64", (CLASSES, len(EXPERTS[name])), f"sum of {part} over workload-days, by class")
        for name in NAMES
        for part in ("slack", "overrun")
    ),
    Field("count", "float64", (_R, CLASSES), "workload-days behind the sums"),
    Field("newest_day", "int32", (_R,), "UTC day of the last row of the overruns", -1),
    *(
        Field(f"{name}_overruns", "float64", (OWN_DAYS, GROUPS, len(PRICES[name]) + 1), "overruns by day, group, price")
        for name in NAMES
    ),
    Field("seen", "float64", (_R, OWN_DAYS, GROUPS), "workloads seen by day and group"),
    Field("points", "float64", (_R, 3, POINTS), "quantiles of fill, spread and volatility, lowest first", _NAN),
    Field("workloads", "int64", (), "workloads with a record"),
)


@dataclass(frozen=True, slots=True)
class Taught:
    """One resource: the prior, the newest 20 days of overruns, and the UTC day of the last of them (-1: none)."""

    prior: Prior
    realised: Realised
    newest_day: int

    @classmethod
    def nothing(cls, resource: int) -> Taught:
        name = NAMES[resource]
        overruns = np.zeros((OWN_DAYS, GROUPS, len(PRICES[name]) + 1))
        return cls(Prior.empty(len(EXPERTS[name])), Realised(overruns, np.zeros((OWN_DAYS, GROUPS))), -1)

    def with_losses(self, classes: Array, losses: Losses) -> Taught:
        return Taught(self.prior.after(classes, losses), self.realised, self.newest_day)

    def with_overruns(self, day: int, overrun: Array, groups: Array) -> Taught:
        """Overruns [n, prices + 1] of one day. A day older than the 20 is left out."""
        total, seen = day_of_groups(overrun, groups)
        if not seen.any():
            return self
        moved = self.until(max(day, self.newest_day))
        age = moved.newest_day - day
        if age >= OWN_DAYS:
            return self
        moved.realised.overruns[-1 - age] += total
        moved.realised.seen[-1 - age] += seen
        return moved

    def until(self, day: int) -> Taught:
        """A copy whose last row is this day, which is not before the present one."""
        steps = min(day - self.newest_day, OWN_DAYS) if self.newest_day >= 0 else OWN_DAYS
        overruns, seen = (
            np.concatenate([part[steps:], np.zeros((steps, *part.shape[1:]))])
            for part in (self.realised.overruns, self.realised.seen)
        )
        return Taught(self.prior, Realised(overruns, seen), day)

    def __add__(self, other: Taught) -> Taught:
        day = max(self.newest_day, other.newest_day)
        if day < 0:
            return Taught(self.prior + other.prior, self.realised, day)
        ours, theirs = self.until(day).realised, other.until(day).realised
        realised = Realised(ours.overruns + theirs.overruns, ours.seen + theirs.seen)
        return Taught(self.prior + other.prior, realised, day)


@dataclass(frozen=True, slots=True)
class Ends:
    """Where classes and groups of volatility end, for one resource."""

    cuts: Cuts
    groups: Array


@dataclass(frozen=True, slots=True)
class Fleet:
    """What one partition, or all of them, taught; points: [2, 3, k] of traits, repeated by the workloads they stand for."""

    taught: tuple[Taught, Taught]
    points: Array

    @classmethod
    def nothing(cls) -> Fleet:
        return cls((Taught.nothing(0), Taught.nothing(1)), np.empty((_R, 3, 0)))

    @classmethod
    def read(cls, row: Columns) -> Fleet:
        """From the one row of a decoded message."""
        taught = []
        for resource, name in enumerate(NAMES):
            prior = Prior(row[f"{name}_slack"][0], row[f"{name}_overrun"][0], row["count"][0, resource])
            realised = Realised(row[f"{name}_overruns"][0], row["seen"][0, resource])
            taught.append(Taught(prior, realised, int(row["newest_day"][0, resource])))
        times = max(1, round(int(row["workloads"][0]) / POINTS))
        return cls((taught[0], taught[1]), np.repeat(row["points"][0], times, axis=2))

    def columns(self, key: str, traits: Sequence[Traits]) -> Columns:
        """As one row; `traits` of all workloads of the partition, per resource."""
        arrays: dict[str, Array] = {"workloads": np.array([len(traits[0].level)], dtype=np.int64)}
        for name, one in zip(NAMES, self.taught, strict=True):
            arrays |= {f"{name}_slack": one.prior.slack[None], f"{name}_overrun": one.prior.overrun[None]}
            arrays[f"{name}_overruns"] = one.realised.overruns[None]
        both = self.taught
        arrays["count"] = np.stack([one.prior.count for one in both])[None]
        arrays["seen"] = np.stack([one.realised.seen for one in both])[None]
        arrays["newest_day"] = np.array([[one.newest_day for one in both]], dtype=np.int32)
        arrays["points"] = np.stack([_points(one) for one in traits])[None]
        return Columns(FLEET_FIELDS, [key], arrays)

    def ends(self, resource: int, traits: Traits) -> Ends:
        """Classes of own workloads (their traits as they are) and the others' (their points) together."""
        fill, spread, volatility = (
            np.concatenate([own, others])
            for own, others in zip((traits.fill, traits.spread, traits.volatility), self.points[resource], strict=True)
        )
        return Ends(Cuts.of(Traits(fill, fill, spread, volatility)), group_cuts(volatility))


def together(fleets: Iterable[Fleet]) -> Fleet:
    """The sum of what several partitions taught."""
    total = Fleet.nothing()
    for fleet in fleets:
        both = total.taught[0] + fleet.taught[0], total.taught[1] + fleet.taught[1]
        total = Fleet(both, np.concatenate([total.points, fleet.points], axis=2))
    return total


def _points(traits: Traits) -> Array:
    """[3, POINTS] quantiles; NaN for a trait that no workload has."""
    found = np.full((3, POINTS), _NAN)
    for place, trait in enumerate((traits.fill, traits.spread, traits.volatility)):
        known = trait[~np.isnan(trait)]
        if known.size:
            found[place] = np.quantile(known, np.linspace(0, 1, POINTS))
    return found
