"""The roofline: which ceiling a piece of work meets first.

Williams, Waterman, Patterson: Roofline, CACM 2009. Time is at least work / peak for every unit, so the unit with the
largest share of its peak limits. With a = flop/byte and a ridge point peak/bandwidth: compute-bound where a >= ridge,
which is the same as flop/s / peak >= bytes/s / bandwidth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def shares(rates: Floats, peaks: Floats, bytes_per_s: Floats, bandwidth_bytes_per_s: Floats) -> tuple[Floats, Floats]:
    """Share of peak of the busiest unit and of memory, [n] each. rates [n, units] in operations/s, peaks [units]."""
    return np.max(rates / peaks, axis=1), bytes_per_s / bandwidth_bytes_per_s


def compute_bound(compute: Floats, memory: Floats) -> NDArray[np.bool_]:
    """Whether compute is the nearer ceiling, [n], from shares of peak."""
    return compute >= memory
