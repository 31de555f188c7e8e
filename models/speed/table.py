"""The learned table: speed on a slice over (power, memory utilisation, GPU utilisation, compute share, memory share).

Between the knots it is multilinear, outside of them it is held: but a GPU that is less busy than that of any job in the
table loses less time on a slice in proportion, because a slice stretches only the time in which kernels run. Both
interpolation of a monotone table and that proportion are monotone, so two promises hold everywhere: not slower on a
larger slice, not faster at more demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from models.speed.signals import LEAST_BUSY, Floats, busy_ratio

DEMAND_AXES, SHARE_AXES = 3, 2
_BUSY = 2
"""The axis of GPU utilisation."""
_SLOWEST = 1e-6
"""Under what was ever measured: 0 would be a loss without end."""


@dataclass(frozen=True, slots=True)
class SpeedTable:
    """axes: rising knots of the three coordinates, then compute share and memory share of the slice.
    values: speed relative to the whole GPU, 0 to 1, shape = lengths of the axes."""

    axes: tuple[Floats, ...]
    values: Floats

    def predict(self, demand: Floats, shares: Floats) -> Floats:
        """[n] speeds for demand [n, 3] or [3] and shares [n, 2]. The whole GPU (1, 1) is 1 by definition."""
        points = np.column_stack([np.broadcast_to(demand, (len(shares), DEMAND_AXES)), shares])
        held_at_ends = _multilinear(self.axes, self.values, points)
        speeds = 1 / (1 + (1 / np.maximum(held_at_ends, _SLOWEST) - 1) * self._less_busy(points[:, _BUSY]))
        return np.where(np.all(shares >= 1, axis=1), 1.0, speeds)

    def _less_busy(self, coordinate: Floats) -> Floats:
        """[n] share of the table's loss of time that is left; 1 from the least busy job of the table on."""
        return np.minimum(busy_ratio(coordinate) / busy_ratio(self.axes[_BUSY][0]), 1.0)

    def bounds(self, demand: Floats, shares: Floats) -> tuple[Floats, Floats]:
        """Lowest and highest speed when some coordinates of `demand` [3] are NaN: the ends of their axes bound it,
        and a GPU that is hardly ever busy."""
        low = np.array([axis[-1] for axis in self.axes[:DEMAND_AXES]])
        high = np.array([axis[0] for axis in self.axes[:DEMAND_AXES]])
        high[_BUSY] = min(high[_BUSY], LEAST_BUSY)
        missing = np.isnan(demand)
        slowest = self.predict(np.where(missing, low, demand), shares)
        fastest = self.predict(np.where(missing, high, demand), shares)
        return slowest, fastest

    def after_probe(self, demand: Floats, shares: Floats, probed: Sequence[float], measured: float) -> Floats:
        """[n] speeds once one slice, with the shares `probed` (2), was measured.

        The workload is taken for one that is as much more (or less) demanding in all three signals as makes the table
        give the measured speed there. A measurement beyond the table's reach scales the slices (below it), or lifts
        the larger ones (above it).
        """
        probe = np.array([probed], dtype=np.float64)
        path = self._path(demand)
        along = self.predict(path, np.repeat(probe, len(path), axis=0))
        here = int(np.argmin(np.abs(along - measured) + 1e-6 * np.abs(_STEPS)))
        speeds = self.predict(path[here], shares)
        if measured < along[here]:
            speeds = np.where(np.all(shares >= 1, axis=1), 1.0, speeds * (measured / along[here]))
        return held(speeds, shares, probed, measured)

    def _path(self, demand: Floats) -> Floats:
        """[steps, 3]: demand moved by -1 to 1 of the range of each axis at once, held at the ends; a GPU less busy than
        any of the table may stay so."""
        low = np.array([axis[0] for axis in self.axes[:DEMAND_AXES]])
        span = np.array([axis[-1] - axis[0] for axis in self.axes[:DEMAND_AXES]])
        lowest = low.copy()
        lowest[_BUSY] = min(low[_BUSY], LEAST_BUSY)
        place = (np.clip(demand, lowest, low + span) - low) / span
        return np.asarray(np.clip(place + _STEPS[:, None], np.minimum(place, 0), 1) * span + low)


_STEPS: Floats = np.linspace(-1, 1, 401)


def held(speeds: Floats, shares: Floats, probed: Sequence[float], measured: float) -> Floats:
    """[n] speeds that agree with a measurement: larger slices at least as fast as measured, smaller ones at most."""
    probe = np.array([probed], dtype=np.float64)
    speeds = np.where(np.all(shares >= probe, axis=1), np.maximum(speeds, measured), speeds)
    return np.where(np.all(shares <= probe, axis=1), np.minimum(speeds, measured), speeds)


def monotone(values: Floats) -> Floats:
    """The least table above `values` that falls along the demand axes and rises along the share axes.

    The upper one, because what breaks the order are outliers downwards: a job that thrashes on a slice is slow without
    any sign of it in the signals, and would pull down all that demand more than it.
    """
    for axis in range(DEMAND_AXES):
        values = np.flip(np.maximum.accumulate(np.flip(values, axis), axis), axis)
    for axis in range(DEMAND_AXES, DEMAND_AXES + SHARE_AXES):
        values = np.maximum.accumulate(values, axis)
    return values


def _multilinear(axes: Sequence[Floats], values: Floats, points: Floats) -> Floats:
    """[n] interpolated values at points [n, d]; a point outside the knots is moved to the nearest end."""
    cells, weights = [], []
    for k, axis in enumerate(axes):
        x = np.clip(points[:, k], axis[0], axis[-1])
        cell = np.clip(np.searchsorted(axis, x, side="right") - 1, 0, len(axis) - 2)
        cells.append(cell)
        weights.append((x - axis[cell]) / (axis[cell + 1] - axis[cell]))
    total = np.zeros(len(points))
    for corner in product((0, 1), repeat=len(axes)):
        weight = np.prod([w if up else 1 - w for up, w in zip(corner, weights, strict=True)], axis=0)
        total += weight * values[tuple(cell + up for up, cell in zip(corner, cells, strict=True))]
    return total
