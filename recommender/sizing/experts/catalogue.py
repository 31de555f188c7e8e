"""The experts: for each resource, the statistics and the margins they are multiplied with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.columns import Array
from recommender.sizing.experts import windows
from recommender.sizing.experts.days import PEAK, Days, Statistic

Resource = Literal["cpu", "memory"]
SMALLEST: Mapping[Resource, float] = {"cpu": 0.010, "memory": float(10 << 20)}
"""What experts are compared above, in cores and bytes. Policy has its own floors."""
TINY = 1e-9
"""Stands for 0 in a logarithm: a nano-core or less than a byte."""


@dataclass(frozen=True, slots=True)
class Experts:
    """Expert number s * len(margins) + m is statistic s times margin m."""

    resource: Resource
    statistics: Mapping[str, Statistic]
    margins: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.statistics) * len(self.margins)

    def label(self, expert: int) -> str:
        """`max 14 d x1.16`"""
        statistic, margin = divmod(expert, len(self.margins))
        return f"{list(self.statistics)[statistic]} x{self.margins[margin]:g}"

    def limits(self, days: Days, floor: float, cap: Array) -> Array:
        """What each expert would set, within floor and cap (cores or bytes; cap [n], NaN: none). [n, experts]"""
        base = np.stack([statistic(days) for statistic in self.statistics.values()], axis=1)
        limits = (base[:, :, None] * np.array(self.margins)).reshape(len(days), -1)
        capped = np.where(np.isnan(limits), np.nan, np.fmin(limits, cap[:, None]))
        return np.asarray(np.maximum(capped, floor))


def _highest(level: float, days: int) -> Statistic:
    return lambda past: windows.highest(past.at(level, days))


def _kth_peak(k: int, days: int) -> Statistic:
    return lambda past: windows.kth_highest(past.at(PEAK, days), k)


def _typical(level: float, half_life_days: float) -> Statistic:
    """Geometric mean with a half-life: peaks differ by factors, not by amounts."""
    return lambda past: np.exp(windows.decayed_mean(_log(past.at(level)), half_life_days))


def _peak_deviations(count: float) -> Statistic:
    def statistic(past: Days) -> Array:
        mean, deviation = windows.mean_and_deviation(_log(past.at(PEAK)))
        return np.asarray(np.exp(mean + count * deviation))

    return statistic


def _same_weekday(level: float, weeks: int) -> Statistic:
    """Highest of yesterday and of the day to come one to `weeks` weeks ago."""
    columns = [-1, *(-7 * week for week in range(1, weeks + 1))]
    return lambda past: windows.highest(past.at(level)[:, columns])


def _log(values: Array) -> Array:
    return np.log(np.maximum(values, TINY))


MEMORY = Experts(
    "memory",
    {
        "max 1 d": _highest(PEAK, 1),
        "max 7 d": _highest(PEAK, 7),
        "max 14 d": _highest(PEAK, 14),
        "max 30 d": _highest(PEAK, 30),
        "2nd highest day of 7": _kth_peak(2, 7),
        "2nd highest day of 30": _kth_peak(2, 30),
        "typical daily peak": _typical(PEAK, 4),
        "mean peak + 1.5 deviations": _peak_deviations(1.5),
        "mean peak + 3.5 deviations": _peak_deviations(3.5),
        "max of same weekday": _same_weekday(PEAK, 3),
    },
    (1.0, 1.08, 1.16, 1.22, 1.3, 1.4, 1.5, 1.65, 1.8, 2.3, 3.3, 5.5),
)
CPU = Experts(
    "cpu",
    {
        "max 7 d": _highest(PEAK, 7),
        "max 30 d": _highest(PEAK, 30),
        "highest daily P99 of 7": _highest(0.99, 7),
        "typical P95, last day": _typical(0.95, 0.5),
        "typical P90": _typical(0.9, 1),
        "P95 of same weekday": _same_weekday(0.95, 4),
        "highest daily P90 of 3": _highest(0.9, 3),
        "highest daily P95 of 7": _highest(0.95, 7),
        "highest daily P95 of 14": _highest(0.95, 14),
    },
    (0.6, 0.7, 0.8, 0.9, 1.0, 1.06, 1.12, 1.2, 1.3, 1.6, 2.3, 3.5),
)
EXPERTS: Mapping[Resource, Experts] = {"cpu": CPU, "memory": MEMORY}
