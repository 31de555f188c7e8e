"""When a new limit is worth a change: raise at once, lower late and only by enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array


@dataclass(frozen=True, slots=True)
class HoldRule:
    """Which changes are made, of all workloads or of each, [n].

    raise_ratio: a rise by more than this, at once
    lower_ratio: a fall by more than this, at the `rest`-th decision after a change or later
    """

    raise_ratio: float | Array = 0.10
    lower_ratio: float | Array = 0.20
    rest: int | Array = 1


CALM = HoldRule()
"""Half the changes of the plain decision for 10 to 15 % more OOM-days at equal slack."""
WEEKLY = HoldRule(raise_ratio=0.08, lower_ratio=0.0, rest=7)
"""Raise at once, lower once a week: a fifth fewer changes still, for up to 12 % more OOM-days."""


@dataclass(frozen=True, slots=True)
class Held:
    """The limit in force, and decisions since it last changed. [n] each; NaN before the first."""

    limit: Array
    age: Array

    @classmethod
    def nothing(cls, n: int) -> Held:
        return cls(np.full(n, np.nan), np.zeros(n, dtype=np.int32))


def hold(rule: HoldRule, before: Held, wanted: Array) -> Held:
    """The limit to have now, given the one in force and the one that was just decided."""
    age = before.age + 1
    rise = wanted > before.limit * (1 + rule.raise_ratio)
    fall = (wanted < before.limit * (1 - rule.lower_ratio)) & (age >= rule.rest)
    change = (rise | fall | np.isnan(before.limit)) & ~np.isnan(wanted)
    return Held(np.where(change, wanted, before.limit), np.where(change, 0, age).astype(np.int32))
