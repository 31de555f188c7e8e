"""The decayed histograms, and the counts of the running day.

CPU as VPA: every sample counts, with weight 2^(t/24 h), here times the seconds that it describes. Memory as VPA: one
peak per 24 h window, replaced while the window runs. VPA holds one histogram per container and adds them up; here all
instances share one, so a window's memory peak is the highest of all instances (VPA would count each instance's).
Unlike VPA, a first sample of 0 does not hide the rest of its window.

Weights are integers: additions have no order, a replaced peak leaves nothing behind, and the sum of 200 replicas at
1 Hz is not stuck at 2^24 as it would be in float32.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.histogram import BUCKETS, HALF_LIFE_MS, bucket_of
from models.profile import CPU, HISTOGRAM_UNIT, MEMORY
from profiler.profiles import Indices, Profiles

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Integers = NDArray[np.int64]

_FULL = 1 << 30
"""A bucket above this halves its row at the next hour: room for 3.2e9 more in an hour, that is 7,000 busy replicas."""
_R = 2


def add_cpu(profiles: Profiles, slot: Indices, values: Floats, weight: Floats) -> None:
    """Samples [m] in cores, with seconds times 2^((t - reference)/24 h)."""
    units = np.rint(weight * HISTOGRAM_UNIT[CPU]).astype(np.uint32)
    _add(profiles["histogram"], slot, CPU, values, units)


def add_to_day(profiles: Profiles, slot: Indices, resource: int, values: Floats, interval_ms: Integers) -> None:
    """Samples [m] into the counts of the running day; at least a second each."""
    seconds = np.maximum((interval_ms + 500) // 1000, 1).astype(np.uint32)
    _add(profiles["day_histogram"], slot, resource, values, seconds)


def _add(table: NDArray[np.uint32], slot: Indices, resource: int, values: Floats, units: NDArray[np.uint32]) -> None:
    cell = (slot * _R + resource) * BUCKETS + bucket_of(values.astype(np.float32), resource)
    np.add.at(table.reshape(-1), cell, units)


def replace_peak(profiles: Profiles, slots: Indices, before: Float32s, after: Float32s) -> None:
    """Move the running window's memory peak of distinct slots from `before` to `after`; NaN: there is none."""
    flat = profiles["histogram"].reshape(-1)
    base = (slots * _R + MEMORY) * BUCKETS
    had, has = ~np.isnan(before), ~np.isnan(after)
    flat[base[had] + bucket_of(before[had], MEMORY)] -= np.uint32(HISTOGRAM_UNIT[MEMORY])
    flat[base[has] + bucket_of(after[has], MEMORY)] += np.uint32(HISTOGRAM_UNIT[MEMORY])


def shift(profiles: Profiles, slots: Indices, resource: int, half_lives: Integers) -> None:
    """Move the reference of distinct slots forward by whole half-lives: all weights halve as often."""
    steps = np.minimum(half_lives, 31).astype(np.uint32)
    profiles["histogram"][slots, resource] >>= steps[:, None]
    profiles["histogram_reference_ms"][slots, resource] += half_lives * HALF_LIFE_MS


def full(profiles: Profiles, slots: Indices) -> Indices:
    """Those whose CPU weights must be halved early to stay inside 32 bits."""
    chosen: Indices = slots[profiles["histogram"][slots, CPU].max(axis=1) > _FULL]
    return chosen
