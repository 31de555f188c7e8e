"""What a target is expected to cost and to risk."""

from __future__ import annotations

import numpy as np

from models.columns import Array
from recommender.sizing.policy_columns import pair
from recommender.sizing.usage import Usage

_TAIL = 2.0
"""The chance of a day above x falls with x^-2 beyond the highest peak seen: a heavy tail, as jumps without precedent are
what kills. Twice the margin quarters the risk."""


def expected_slack(target: Array, usage: Usage) -> Array:
    """Share of the target that P95 usage leaves unused, 0-1, [n, 2] (Autopilot's relative slack)."""
    return np.clip(1.0 - usage.p95 / target, 0.0, 1.0)


def overrun_risk(target: Array, usage: Usage) -> Array:
    """CPU: share of time above the target, from the histogram. Memory: chance of a day with a peak above it. [n, 2]."""
    return pair(usage.cpu.share_above(target[:, 0]), _chance_of_a_day_above(target[:, 1], usage))


def _chance_of_a_day_above(target: Array, usage: Usage) -> Array:
    """(k + 1) / (d + 2) for k of d days above the target: Laplace's rule of succession, so that few days promise little.
    Beyond the highest peak M it falls with (M / target)^2."""
    above = np.count_nonzero(usage.peaks > target, axis=0)
    tail = np.minimum(usage.highest / target, 1.0) ** _TAIL
    chance: Array = (above + 1) / (usage.peak_days + 2) * tail
    return chance
