"""The known workloads that a job is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Kin:
    """Rows of workloads, most alike first, their likeness to what was asked, 0 to 1, and their weight per quantity [k, Q]."""

    rows: NDArray[np.intp]
    likeness: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def worth(self) -> NDArray[np.float64]:
        """[k]: the largest weight of each, whatever the quantity."""
        return np.asarray(self.weights.max(axis=1, initial=0.0))
