"""Every policy decides on the past alone; its decision is then held while the future happens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.columns import Array
from recommender.backtest.usage import DAY_S, Past, Usage
from recommender.sizing.experts.catalogue import SMALLEST
from recommender.sizing.learn import CPU_CAP_RATIO

FLOOR = SMALLEST
"""The same for every policy, in cores and bytes. Floors of a product (VPA 250 MiB, KRR 100 MiB) are left out: with
them VPA wastes more of a small workload, which says nothing of the algorithm."""
WARM_UP_DAYS = 7


class SizingPolicy(Protocol):
    """A way to size workloads. One object serves one replay: `decide` is called with an ever longer past."""

    @property
    def name(self) -> str: ...

    def decide(self, past: Past) -> Array:
        """The limit of each workload until the next decision, cores or bytes, [n]. NaN: no answer, keep what it has.

        A policy that feeds on outcomes (an OOM bump) may remember its own answers; what became of them it reads
        from the next past.
        """


@dataclass(frozen=True, slots=True)
class Decisions:
    """Limits in force: `limits[i, d, k]` is decided for part k of day `first_day + d` (one part, or 24 hours)."""

    policy: str
    first_day: int
    limits: Array


def replay(policy: SizingPolicy, usage: Usage, first_day: int = WARM_UP_DAYS) -> Decisions:
    """Ask the policy before every block from `first_day` on."""
    per_day = DAY_S // usage.block_s
    blocks = range(first_day * per_day, usage.blocks)
    limits = np.stack([bounded(policy.decide(past), past) for past in pasts(usage, blocks)], axis=1)
    return Decisions(policy.name, first_day, limits.reshape(len(usage.workloads), -1, per_day))


def pasts(usage: Usage, blocks: Iterable[int]) -> Iterable[Past]:
    return (Past(usage, block) for block in blocks)


def bounded(limits: Array, past: Past) -> Array:
    """Floor and cap, from what is known. A workload without an answer keeps the size it was given."""
    given = np.where(np.isnan(limits), past.provisioned(), limits)
    return np.asarray(np.maximum(np.fmin(given, cap(past)), FLOOR[past.resource]))


def cap(past: Past) -> Array:
    """No limit above this is of use: the largest size so far, and for CPU also a little above all usage so far."""
    size = past.provisioned_peak()
    if past.resource == "memory":
        return size
    return np.asarray(CPU_CAP_RATIO * np.fmax(size, past.peak()))
