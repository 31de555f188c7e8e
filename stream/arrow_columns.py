"""Columns between numpy and Arrow without a copy, by their buffers.

pyarrow's own conversions ask pandas first whether a value is one of its own, and load it for that: 0.25 s and 45 MB in
each process that reads or writes a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def numbers_in(column: pa.Array) -> NDArray[Any]:
    """A read-only view of a column of a primitive type, anything where it is null."""
    dtype = np.dtype(column.type.to_pandas_dtype())
    buffer = column.buffers()[1]
    if buffer is None or not len(column):
        return np.zeros(0, dtype)
    return np.frombuffer(buffer, dtype, len(column), column.offset * dtype.itemsize)


def numbers_column(values: NDArray[Any]) -> pa.Array:
    """A column over the memory of a contiguous array of one dimension."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def texts_column(values: Sequence[str]) -> pa.Array:
    """A column of texts, of which none is missing."""
    encoded = [value.encode() for value in values]
    offsets = np.fromiter(accumulate(map(len, encoded), initial=0), np.int32, len(encoded) + 1)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))
