"""The runs of jobs: one workload, sized from the distribution over its runs and not over its days. And what jobs and
services need to start, beside what they need to go on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.columns import Array, Columns
from models.peak16 import from_peak16
from models.profile import MEMORY, RUNS

MIN_RUNS = 3
"""Finished runs from which on a workload is taken for a job: what stops and starts anew twice may be a mended service."""


@dataclass(frozen=True, slots=True)
class JobRuns:
    """count: [n] finished runs, 0 for what is no job; start, steady: [n, 2] highest peaks in the first minutes of an
    instance and after them, over the newest 16 runs of a job or the newest 32 days, NaN where there was none;
    highest: [n, RUNS] memory peak of each run (of a long one, of each two days), NaN where it is no job."""

    count: Array
    start: Array
    steady: Array
    highest: Array

    @classmethod
    def of(cls, profiles: Columns) -> JobRuns:
        """From rows of the profile table. Most slabs hold no job, and cost one comparison."""
        count = np.where(profiles["runs"] >= MIN_RUNS, profiles["runs"], 0)
        first, after = profiles["run_start_peak"], profiles["run_peak"]
        start, steady = (_peaks(codes.max(axis=2)) for codes in (first, after))  # codes sort as their values do
        highest, jobs = np.full((len(count), RUNS), np.nan), np.flatnonzero(count)
        if len(jobs):
            highest[jobs] = _peaks(np.maximum(first[jobs, MEMORY], after[jobs, MEMORY]))
        return cls(count, start, steady, highest)

    def memory(self, overrun_ratio: Array) -> Array:
        """The highest memory of a run that policy does not allow to be exceeded, [n]: with a ratio r and k runs, the
        floor(r * k) highest may be."""
        known = np.count_nonzero(~np.isnan(self.highest), axis=1)
        skipped = np.minimum(np.floor(overrun_ratio * known + 1e-9).astype(np.intp), np.maximum(known - 1, 0))
        falling = -np.sort(-self.highest, axis=1)  # NaN last
        allowed: Array = np.take_along_axis(falling, skipped[:, None], axis=1)[:, 0]
        return allowed


def _peaks(codes: Array) -> Array:
    """Values of codes; code 0, of a run without a value, is NaN."""
    return np.where(codes > 0, from_peak16(np.ascontiguousarray(codes)), np.nan)
