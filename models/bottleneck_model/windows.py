"""What teaches a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Windows:
    """features [n, F], Bottleneck by counters and workload of each window, [n]."""

    features: NDArray[np.float32]
    classes: NDArray[np.uint8]
    workloads: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.classes)

    def take(self, chosen: NDArray[np.intp]) -> Windows:
        return Windows(self.features[chosen], self.classes[chosen], self.workloads[chosen])
