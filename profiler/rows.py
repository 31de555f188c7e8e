"""The rows of several messages as columns, in the order in which they count: message, workload, time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of one length n. `message` is the number of a row's message in the batch, `slot` its workload's row in
    the profiles, `instance` six bits of its instance's name; `values` is float64[S, n], NaN where missing."""

    message: Indices
    slot: Indices
    instance: NDArray[np.uint8]
    time_ms: Integers
    interval_ms: Integers
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.slot)

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Rows:
        if not isinstance(chosen, slice) and chosen.dtype == np.bool_:
            chosen = np.flatnonzero(chosen)  # looked for once, not in each column
        return Rows(
            self.message[chosen],
            self.slot[chosen],
            self.instance[chosen],
            self.time_ms[chosen],
            self.interval_ms[chosen],
            self.values[:, chosen],
        )

    def samples(self) -> int:
        """Values that are there."""
        return int(self.values.size - np.count_nonzero(np.isnan(self.values)))
