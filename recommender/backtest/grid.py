"""Rows of telemetry onto an even grid of 5 minutes and whole UTC days: what a replay works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.columns import Array
from recommender.backtest.usage import DAY_S, Resource, Usage

SLOT_S = 300
SLOTS = DAY_S // SLOT_S
_SIGNALS: dict[Resource, tuple[str, tuple[str, ...]]] = {
    "cpu": ("cpu_cores", ("cpu_request_cores", "cpu_limit_cores")),
    "memory": ("memory_working_set_bytes", ("memory_request_bytes", "memory_limit_bytes")),
}
NEEDED = tuple(name for usage, sizes in _SIGNALS.values() for name in (usage, *sizes))
"""The signals that are read; the others may be missing."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows: workload ids, times in ms, and the signals of NEEDED that are known, NaN for a missing value. [n] each."""

    workloads: Sequence[str]
    time_ms: Array
    signals: dict[str, Array]


_FACTORS = (1, 2, 3, 6, 12)
"""5, 10, 15, 30 and 60 minutes."""
_CPU, _COUNT = "cpu_cores", "cpu_values"


@dataclass(slots=True)
class Grid:
    """Collects rows in any order. Of a slot memory keeps the highest value and CPU the mean: a second of full speed is no
    five minutes of it. 2.3 KB a workload, day and resource."""

    reduce_at_rows: int = 2_000_000
    """Rows held before they are reduced to one per workload and slot: 130 MB."""
    _numbers: dict[str, int] = field(default_factory=dict)
    _parts: list[tuple[Array, dict[str, Array]]] = field(default_factory=list)
    _held: int = 0

    def add(self, rows: Rows) -> None:
        numbers = [self._numbers.setdefault(name, len(self._numbers)) for name in rows.workloads]
        slots = np.asarray(rows.time_ms, dtype=np.int64) // (1000 * SLOT_S)
        signals = dict(rows.signals)
        if _CPU in signals:  # as sum and count, which can be added up
            signals[_COUNT] = (~np.isnan(signals[_CPU])).astype(np.float64)
            signals[_CPU] = np.nan_to_num(signals[_CPU])
        self._parts.append((np.array(numbers, dtype=np.int64) << 32 | slots, signals))
        self._held += len(slots)
        if self._held > self.reduce_at_rows:
            self._parts = [self._reduced()]
            self._held = len(self._parts[0][0]) // 2  # so that what is kept is not reduced for every part

    def usages(self) -> dict[Resource, Usage]:
        """Both resources, without those of which nothing is known. Empty when there was no row."""
        if not self._parts:
            return {}
        key, signals = self._reduced()
        numbers, slots = key >> 32, key & ((1 << 32) - 1)
        if _CPU in signals:
            signals[_CPU] = np.where(signals[_COUNT] > 0, signals[_CPU] / np.maximum(signals[_COUNT], 1), np.nan)
        first, last = int(slots.min()) // SLOTS, int(slots.max()) // SLOTS
        shape = len(self._numbers), last - first + 1, SLOTS // _coarser(key)
        cell = numbers * (shape[1] * shape[2]) + (slots - first * SLOTS) * shape[2] // SLOTS
        found = {}
        for resource, (name, sizes) in _SIGNALS.items():
            samples = _grid(shape, cell, signals.get(name))
            if samples is not None:
                given = [grid for size in sizes if (grid := _grid(shape, cell, signals.get(size))) is not None]
                provisioned = np.fmax.reduce(given[0], axis=2) if given else np.full(samples.shape[:2], np.nan)
                found[resource] = Usage(resource, list(self._numbers), samples, provisioned, first * DAY_S)
        return found

    def _reduced(self) -> tuple[Array, dict[str, Array]]:
        """One row per workload and slot, by their number."""
        key, place = np.unique(np.concatenate([part[0] for part in self._parts]), return_inverse=True)
        names = dict.fromkeys(name for _, signals in self._parts for name in signals)
        return key, {name: self._column(name, place, len(key)) for name in names}

    def _column(self, name: str, place: Array, size: int) -> Array:
        missing = 0.0 if name in (_CPU, _COUNT) else np.nan
        values = np.concatenate([part.get(name, np.full(len(key), missing)) for key, part in self._parts])
        if name in (_CPU, _COUNT):
            return np.bincount(place, values, minlength=size)
        highest = np.full(size, np.nan)
        np.fmax.at(highest, place, values)
        return highest


def _grid(shape: tuple[int, int, int], cell: Array, values: Array | None) -> Array | None:
    """Values in their cells, the highest of each; None where nothing is known."""
    if values is None or np.isnan(values).all():
        return None
    grid = np.full(int(np.prod(shape)), np.nan)
    np.fmax.at(grid, cell, values)
    return grid.reshape(shape)


def _coarser(key: Array) -> int:
    """Slots of 5 minutes in one of the grid: more than one where samples lie further apart, as in a history with a sample
    an hour, or its days would seem to be full of gaps."""
    steps = np.diff(key)
    steps = steps[steps < SLOTS]  # of one workload, on one day
    usual = float(np.median(steps)) if steps.size else 1.0
    return next((factor for factor in _FACTORS if factor >= usual), _FACTORS[-1])
