"""Numbers by row and slot into the columns of signals."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from collector.listen.layout import Form, Layout, Output
from collector.listen.said import Said
from collector.names.foreign import Foreign
from collector.names.values import FP64_BLANK, INT32_BLANKS, RATIOS
from models.signals import SIGNALS

Floats = NDArray[np.float64]


def filled(layout: Layout, rows: int, row: NDArray[np.int64], said: Said) -> Floats:
    """Numbers by row and slot, [rows, slots]; NaN where nothing was said."""
    said, row = _once(layout, said, row)
    known = ~np.isnan(said.value)
    cell = row[known] * len(layout.slots) + said.slot[known]
    value, sums = said.value[known], layout.sums[said.slot[known]]
    out = np.full(rows * len(layout.slots), np.nan)
    out[cell[~sums]] = value[~sums]
    out[cell[sums]] = 0.0
    np.add.at(out, cell[sums], value[sums])
    return out.reshape(rows, len(layout.slots))


def _once(layout: Layout, said: Said, row: NDArray[np.int64]) -> tuple[Said, NDArray[np.int64]]:
    """One value of each series in each row: of a counter's several the mean, of a level's the highest."""
    order = np.lexsort((said.series, row, said.entity))
    said, row = said.take(order), row[order]
    begins = (np.diff(row, prepend=-1) != 0) | (np.diff(said.series, prepend=-1) != 0)
    if begins.all():
        return said, row
    starts = np.flatnonzero(begins)
    known = np.add.reduceat((~np.isnan(said.value)).astype(np.float64), starts)
    total = np.add.reduceat(np.nan_to_num(said.value), starts)
    mean = np.divide(total, known, out=np.full(len(starts), np.nan), where=known > 0)
    highest = np.fmax.reduceat(said.value, starts)
    firsts = said.take(starts)
    level = layout.forms[firsts.slot] == Form.LEVEL
    return replace(firsts, value=np.where(level, highest, mean)), row[starts]


def signals_of(layout: Layout, matrix: Floats) -> tuple[dict[str, Floats], int]:
    """Signals by name in their units, [rows], NaN for none; how many values were clamped or impossible."""
    out: dict[str, Floats] = {}
    clamped = 0
    for output in layout.outputs:
        column, over = fitted(output.foreign, _combined(output, matrix))
        clamped += over
        known = out.get(output.foreign.signal)
        out[output.foreign.signal] = column if known is None else np.where(np.isnan(known), column, known)
    return out, clamped


def _combined(output: Output, matrix: Floats) -> Floats:
    column = matrix[:, output.slot]
    if output.how == "same":
        return column
    other = matrix[:, output.other]
    if output.how == "rest":
        return column - other
    return np.where(other == 0, 0.0, column / np.where(other == 0, 1.0, other))  # 0: no period passed


def fitted(foreign: Foreign, column: Floats) -> tuple[Floats, int]:
    """A column in the signal's unit and range, as `collector.names.values` has it for one value."""
    high = _HIGH[foreign.kind, foreign.signal]
    blank = ~np.isfinite(column) | (column < 0)
    if foreign.system == "dcgm":
        blank |= (column >= FP64_BLANK) | np.isin(column, _BLANKS)
    value = np.where(blank, np.nan, column * foreign.scale)
    over = value > high
    return np.where(over, high if foreign.signal in RATIOS else np.nan, value), int(over.sum())


def listed(column: Floats) -> Sequence[float | None]:
    """For a TelemetryBatch: None in place of NaN."""
    missing = np.isnan(column)
    if not missing.any():
        return array("d", column.tobytes())
    values = column.astype(object)
    values[missing] = None
    return values.tolist()  # type: ignore[no-any-return]


_BLANKS = np.array(sorted(INT32_BLANKS))
_HIGH = {(kind, signal.name): signal.high for kind, signals in SIGNALS.items() for signal in signals}
