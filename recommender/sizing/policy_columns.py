"""Policy as columns: the settings of each workload of a slab, resolved once when the slab's workloads change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import translate
from functools import reduce

import numpy as np

from models.columns import Array
from recommender.sizing.settings import CHOICES, PolicyOverride, SizingPolicy

LIMITS, AUTOSCALED, START_UP = CHOICES["limits"], CHOICES["autoscaled"], CHOICES["cpu_start_up"]
"""A word of a policy as a number is its place here."""


@dataclass(frozen=True, slots=True)
class PolicyColumns:
    """The fields of SizingPolicy by name, each [n], or [1] where all workloads share one policy."""

    arrays: Mapping[str, Array]

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def both(self, name: str) -> Array:
        """The same number for CPU and memory: [n, 1]."""
        column: Array = self.arrays[name][:, None]
        return column

    def pair(self, cpu: str, memory: str) -> Array:
        """A number of CPU beside its fellow of memory: [n, 2]."""
        return pair(self.arrays[cpu], self.arrays[memory])


def pair(cpu: Array, memory: Array) -> Array:
    """Two columns as one of both resources, [n, 2]. A third of np.stack's time, which counts at 256 rows."""
    both = np.empty((len(cpu), 2), dtype=cpu.dtype)
    both[:, 0] = cpu
    both[:, 1] = memory
    return both


class PolicyTable:
    """The policies there are. Each combination of overrides that some workload has is built once."""

    def __init__(self, policy: SizingPolicy, overrides: Sequence[PolicyOverride] = ()) -> None:
        self._policy = policy
        self._rules = [(re.compile(translate(override.match)), override) for override in overrides]
        self._number: dict[tuple[int, ...], int] = {}
        self._policies: list[SizingPolicy] = []

    def columns(self, workloads: Sequence[str]) -> PolicyColumns:
        """The policy of each workload, in order."""
        numbers = [self._number_of(workload) for workload in workloads] if self._rules else []
        if not numbers or min(numbers) == max(numbers):
            return _columns([self._policies[numbers[0]] if numbers else self._policy])
        return PolicyColumns({name: column[numbers] for name, column in _columns(self._policies).arrays.items()})

    def _number_of(self, workload: str) -> int:
        matching = tuple(i for i, (pattern, _) in enumerate(self._rules) if pattern.match(workload))
        if matching not in self._number:
            self._number[matching] = len(self._policies)
            self._policies.append(reduce(lambda p, i: self._rules[i][1].applied_to(p), matching, self._policy))
        return self._number[matching]


def _columns(policies: Sequence[SizingPolicy]) -> PolicyColumns:
    names = [item.name for item in fields(SizingPolicy) if item.name not in CHOICES]
    arrays = {name: np.array([getattr(policy, name) for policy in policies], dtype=np.float64) for name in names}
    for name, choices in CHOICES.items():
        arrays[name] = np.array([choices.index(getattr(policy, name)) for policy in policies], dtype=np.int64)
    return PolicyColumns(arrays)
