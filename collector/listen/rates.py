"""Counters into growth per second, over all series at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collector.listen.layout import Form
from collector.listen.series import NO_TIME, Standing
from collector.listen.wire import Samples

Floats = NDArray[np.float64]


def differentiated(samples: Samples, form: NDArray[np.int8], standing: Standing, max_gap_s: float) -> Floats:
    """What each sample says, [n]: a level is itself, a counter its growth since the sample before, per second for
    Form.RATE. NaN: nothing, as there is no sample before, or none within `max_gap_s`, or one of them is a stale marker.

    `samples` are sorted by series and time. `standing` has what came before, and is moved on to the newest.
    A counter that went down was reset and has grown by what it shows now, as in `collector.rates.growth`; counters of
    floats do not wrap.
    """
    first = np.diff(samples.series, prepend=-1) != 0
    time_before = np.where(first, standing.time_ms[samples.series], np.roll(samples.time_ms, 1))
    before = np.where(first, standing.value[samples.series], np.roll(samples.value, 1))
    seconds = (samples.time_ms - time_before) / 1000
    growth = np.where(
        samples.value >= before, samples.value - before, np.where(np.isnan(before), np.nan, samples.value)
    )
    growth = np.where((time_before == NO_TIME) | (seconds > max_gap_s), np.nan, growth)
    last = np.roll(first, -1)
    newest = samples.series[last]
    standing.time_ms[newest], standing.value[newest] = samples.time_ms[last], samples.value[last]
    return np.where(form == Form.LEVEL, samples.value, np.where(form == Form.RATE, growth / seconds, growth))
