"""Powers of two by table: decay that gives the same bits on every machine.

An exponential function may differ in its last bit between machines, and partitions move between machines. Tables are
rounded to 32 bits, and whole half-lives are exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.histogram import HALF_LIFE_MS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
_MINUTE_MS = 60_000


def _table(steps: int) -> Floats:
    """2^(i/steps) for i below `steps`, rounded to 32 bits."""
    return np.array([round(2 ** (32 + i / steps)) / 2**32 for i in range(steps)])


_BY_MINUTE = _table(HALF_LIFE_MS // _MINUTE_MS)
_BY_HOUR_OF_WEEK = _table(168)


def gain_within_day(time_ms: Integers) -> Floats:
    """VPA's weight of a sample relative to one at its midnight UTC: 2^(t/24 h), 1 to 2, in steps of a minute (0.05 %)."""
    return _BY_MINUTE[time_ms % DAY_MS // _MINUTE_MS]


def weekly_decay(hours: Integers) -> Floats:
    """2^(-hours/168): half-life of a week."""
    return np.ldexp(_BY_HOUR_OF_WEEK[-hours % 168], -((hours + 167) // 168))
