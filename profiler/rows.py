"""The rows of several messages as columns, in the order in which they count: message, workload, time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.telemetry_decoder import TelemetryFrame

Integers = NDArray[np.int64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of one length n. `message` is the number of a row's message in the batch, `slot` its workload's row in
    the profiles; `values` is float64[S, n], NaN where missing."""

    message: Indices
    slot: Indices
    time_ms: Integers
    interval_ms: Integers
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.slot)

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> Rows:
        return Rows(
            self.message[chosen],
            self.slot[chosen],
            self.time_ms[chosen],
            self.interval_ms[chosen],
            self.values[:, chosen],
        )

    def samples(self) -> int:
        """Values that are there."""
        return int(self.values.size - np.count_nonzero(np.isnan(self.values)))


def gather(frames: Sequence[TelemetryFrame], slots_of: Callable[[Sequence[str]], Indices]) -> Rows:
    """One table of CPU frames, sorted. Rows of equal time keep the order of their message."""
    rows = Rows(
        np.repeat(np.arange(len(frames)), [len(frame) for frame in frames]),
        np.concatenate([slots_of(frame.workload.names)[frame.workload.codes] for frame in frames]),
        np.concatenate([frame.time_ms for frame in frames]),
        np.concatenate([frame.interval_ms for frame in frames]),
        np.concatenate([frame.values.T for frame in frames], axis=1),
    )
    return _sorted(rows)


def _sorted(rows: Rows) -> Rows:
    segment = rows.message * (int(rows.slot.max()) + 1) + rows.slot
    oldest = int(rows.time_ms.min())
    span = int(rows.time_ms.max()) - oldest + 1
    if (int(segment.max()) + 1) * span < 1 << 62:
        key = segment * span + (rows.time_ms - oldest)  # one sort of one key: a third of the time of lexsort
        if (key[1:] >= key[:-1]).all():
            return rows
        return rows.take(np.argsort(key, kind="stable"))
    return rows.take(np.lexsort((rows.time_ms, segment)))
