"""The trend: decayed moments of hourly means, from which a line can be fitted at any time."""

from __future__ import annotations

import numpy as np

from profiler.decay import DAY_MS, HOUR_MS, weekly_decay
from profiler.histogram import Floats, Integers
from profiler.profiles import Indices, Profiles


def end_hours(profiles: Profiles, slots: Indices, ended: Integers, begun: Integers, means: Floats) -> None:
    """Add the hour that ended, by its mean [k, R] (NaN: it had none), and age all to the hour that begins."""
    t = (ended * HOUR_MS + HOUR_MS // 2 - profiles["first_seen_ms"][slots]) / DAY_MS
    weight = np.where(np.isnan(means), 0.0, 1.0)
    y = np.where(np.isnan(means), 0.0, means)
    t = t[:, None] * weight
    moments = profiles["trend"][slots] + np.stack((weight, t, t * t, y, t * y), axis=-1)
    profiles["trend"][slots] = moments * weekly_decay(begun - ended)[:, None, None]
