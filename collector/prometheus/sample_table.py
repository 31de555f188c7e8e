"""Samples of many series in two columns, one series after another: what is done to them all is done in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from collector.prometheus.answer import Series, Times, Values

_STALE = np.uint64(0x7FF0000000000002)
"""Bits of the NaN that ends a series; PromQL leaves it out, too."""


Keep = Literal["newest", "highest", "lowest"]
"""Which sample of a step stays."""


@dataclass(frozen=True, slots=True)
class SampleTable:
    """bounds [k + 1]: series i has the samples from bounds[i] on and before bounds[i + 1]; time_ms, value [bounds[k]]."""

    bounds: NDArray[np.intp]
    time_ms: Times
    value: Values

    def columns(self) -> Sequence[tuple[Times, Values]]:
        """Those of each series, as views."""
        return [(self.time_ms[a:b], self.value[a:b]) for a, b in pairwise(self.bounds.tolist())]

    def ordered(self) -> SampleTable:
        """Without markers that are no samples, ascending, each time once: chunks overlap where samples came late."""
        stale = self.value.view(np.uint64) == _STALE
        table = self._take(np.flatnonzero(~stale)) if stale.any() else self
        back = np.flatnonzero(table.time_ms[1:] <= table.time_ms[:-1]) + 1
        return table if np.isin(back, table.bounds).all() else table._sorted()

    def between(self, start_ms: int, end_ms: int) -> SampleTable:
        """Samples of [start_ms, end_ms]."""
        inside = (self.time_ms >= start_ms) & (self.time_ms <= end_ms)
        return self if inside.all() else self._take(np.flatnonzero(inside))

    def thinned(self, step_ms: int, keep: Keep) -> SampleTable:
        """Of an ordered table one sample for each step that has any, at the step's end."""
        if not len(self.time_ms):
            return self
        end = ((self.time_ms - 1) // step_ms + 1) * step_ms
        changes = np.empty(len(end), np.bool_)
        np.not_equal(end[1:], end[:-1], out=changes[:-1])
        changes[self.bounds[1:][self.bounds[1:] > 0] - 1] = True
        last = np.flatnonzero(changes)
        if keep == "newest":
            value = self.value[last]
        else:
            extreme = np.fmax if keep == "highest" else np.fmin
            value = extreme.reduceat(self.value, np.append(0, last[:-1] + 1))
        return SampleTable(np.searchsorted(last, self.bounds), end[last], value)

    def _take(self, chosen: NDArray[np.intp]) -> SampleTable:
        """Samples at these ascending places."""
        return SampleTable(np.searchsorted(chosen, self.bounds), self.time_ms[chosen], self.value[chosen])

    def _sorted(self) -> SampleTable:
        of = np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))
        order = np.lexsort((self.time_ms, of))
        table = SampleTable(self.bounds, self.time_ms[order], self.value[order])
        anew = np.append(True, table.time_ms[1:] != table.time_ms[:-1])  # the first sample is
        anew[self.bounds[:-1][self.bounds[:-1] < len(anew)]] = True
        return table._take(np.flatnonzero(anew))


def thinned(series: Series, step_ms: int, keep: Keep) -> Series:
    """One series, as `SampleTable.thinned`."""
    table = SampleTable(np.array([0, len(series.time_ms)]), series.time_ms, series.value)
    ((time_ms, value),) = table.thinned(step_ms, keep).columns()
    return replace(series, time_ms=time_ms, value=value)


def between(series: Series, start_ms: int, end_ms: int) -> Series:
    """Its samples of [start_ms, end_ms], as a view."""
    first, last = np.searchsorted(series.time_ms, (start_ms, end_ms + 1))
    return replace(series, time_ms=series.time_ms[first:last], value=series.value[first:last])
