"""What was recommended before, row by row of the profiles that are decided now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.columns import Array, Columns, empty_arrays
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.sizing.usage import Usage

_READ = {
    "computed_ms": "computed_ms",
    "changed_ms": "changed_ms",
    "action": "action",
    "reasons": "reasons",
    "limit": "limit_target",
    "target": "target",
    "since_ms": "target_since_ms",
    "lowered_ms": "lowered_ms",
    "request": "request_now",
    "request_before": "request_before",
    "request_changed_ms": "request_changed_ms",
    "applied_ms": "applied_ms",
    "outcome": "outcome",
}
_FIELDS = tuple(field for field in RECOMMENDATION_FIELDS if field.name in _READ.values())


@dataclass(frozen=True, slots=True)
class Standing:
    """computed_ms [n]: when it was decided, changed_ms [n]: when what is told of it last changed. All others [n, 2]: what to do
    and why, the limit to set, the target, since when it stands and when one was last lowered;
    the request that was seen then, the one before it, when it changed, which recommendation it followed and what became of
    it. NaN and 0 where nothing stands."""

    computed_ms: Array
    changed_ms: Array
    action: Array
    reasons: Array
    limit: Array
    target: Array
    since_ms: Array
    lowered_ms: Array
    request: Array
    request_before: Array
    request_changed_ms: Array
    applied_ms: Array
    outcome: Array

    @classmethod
    def of(cls, previous: Columns | None, workloads: Sequence[str]) -> Standing:
        """A slab only ever grows, so mostly the rows are the same."""
        if previous is not None and previous.workloads == workloads:
            return cls(**{ours: previous[theirs] for ours, theirs in _READ.items()})
        arrays = empty_arrays(_FIELDS, len(workloads))
        if previous is not None:
            row_of = {workload: row for row, workload in enumerate(previous.workloads)}
            pairs = [(row, row_of[workload]) for row, workload in enumerate(workloads) if workload in row_of]
            here, there = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
            for name, array in arrays.items():
                array[here] = previous[name][there]
        return cls(**{ours: arrays[theirs] for ours, theirs in _READ.items()})

    def changed(self, action: Array, reasons: Array, target: Array, limit: Array, at_ms: int) -> Array:
        """When what is told of each row last changed: now, where any of it differs. [n]"""
        pairs = ((self.action, action), (self.reasons, reasons), (self.target, target), (self.limit, limit))
        same = np.logical_and.reduce([_alike(before, now).all(axis=1) for before, now in pairs])
        return np.where(same & (self.changed_ms > 0), self.changed_ms, at_ms)

    def size(self, usage: Usage) -> Array:
        """What was asked for before: the standing target, and without one the present request. [n, 2]"""
        return np.where(np.isnan(self.target), usage.request, self.target)


def _alike(before: Array, now: Array) -> Array:
    """Equal, or both not known."""
    alike: Array = (before == now) | ((before != before) & (now != now))
    return alike
