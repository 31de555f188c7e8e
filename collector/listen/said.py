"""What samples say, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Said:
    """What samples say, as columns: of which entity, in which slot. direct: of the entity itself and not of its pod.
    alive: no stale marker."""

    series: NDArray[np.int32]
    entity: NDArray[np.int32]
    slot: NDArray[np.int16]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    direct: NDArray[np.bool_]
    alive: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.series)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Said:
        """Those of a mask or of these numbers."""
        return Said(*(getattr(self, f.name)[rows] for f in fields(self)))

    @staticmethod
    def joined(parts: Sequence[Said]) -> Said:
        return Said(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Said)))

    @staticmethod
    def nothing() -> Said:
        number, flag = np.empty(0, np.int32), np.empty(0, np.bool_)
        return Said(number, number, np.empty(0, np.int16), np.empty(0, np.int64), np.empty(0), flag, flag)
