"""Time per class: what a job's windows add up to."""

from __future__ import annotations

import numpy as np

from models.bottleneck import CLASSES
from profiler.bottleneck.boards import Floats
from profiler.bottleneck.gpu import Codes


def by_class(bottleneck: Codes, seconds: Floats) -> Floats:
    """Seconds [n] under the class of each window, zeros elsewhere, [n, CLASSES]. Sums over rows are time per class."""
    return np.where(bottleneck[:, None] == np.arange(CLASSES), seconds[:, None], 0.0)
