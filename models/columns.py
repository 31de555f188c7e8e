"""Columns across workloads: a declared table of numpy arrays, one row per workload.

Profiles and recommendations are such tables. Their fields are declared once; the codec, the state store, the API and
the docs read the declaration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One column: `dtype` and the `shape` of a row (() for a scalar). `empty` fills a row that holds nothing yet."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    help: str
    empty: float = 0.0

    @property
    def row_bytes(self) -> int:
        return int(np.dtype(self.dtype).itemsize * np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows of one declared table. `workloads[i]` is the id of row i of every array (`[n, *shape]`)."""

    table: tuple[Field, ...]
    workloads: Sequence[str]
    arrays: Mapping[str, Array]

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def __len__(self) -> int:
        return len(self.workloads)

    def take(self, rows: Array) -> Columns:
        """The rows at these indices, copied."""
        return Columns(self.table, [self.workloads[i] for i in rows], {k: v[rows] for k, v in self.arrays.items()})


def empty_arrays(table: tuple[Field, ...], n: int) -> dict[str, Array]:
    """Arrays for n rows that hold nothing yet."""
    return {f.name: np.full((n, *f.shape), f.empty, dtype=f.dtype) for f in table}


def row_bytes(table: tuple[Field, ...]) -> int:
    """Bytes that one row takes in memory, without its id."""
    return sum(f.row_bytes for f in table)
