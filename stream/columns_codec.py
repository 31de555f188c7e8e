"""Rows of a declared table (`models.columns`) into the value of one message and back, bit for bit.

The table is one Arrow batch: a text column `workload`, and per field a primitive column, or a fixed-size list where a
row of the field is an array. Numpy's buffers are Arrow's buffers, so there is no loop over rows and no copy of a value.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa

from models.columns import Array, Columns, Field
from stream.arrow_columns import numbers_column, numbers_in, texts_column
from stream.arrow_frame import open_frame, seal
from stream.dead_letters import BadMessageError, Reason

MAX_ROWS = 1 << 13
"""A slab holds 256 rows. At 8 KB a row this bounds what filling in missing columns may allocate to 64 MiB."""

_ID = "workload"


def encode_columns(columns: Columns, level: int = 1) -> bytes:
    """The value of one message. `level` is zstd's."""
    arrays: list[pa.Array] = [texts_column(columns.workloads)]
    names = [_ID]
    for field in columns.table:
        arrays.append(_arrow(field, columns[field.name], len(columns)))
        names.append(field.name)
    return seal(pa.RecordBatch.from_arrays(arrays, names), level)


def decode_columns(value: bytes | None, table: tuple[Field, ...], only: Collection[str] | None = None) -> Columns:
    """The rows of `table` in a message, or those of its fields that `only` names. The arrays are read-only views.

    A column that the table does not know is ignored, one that the message lacks is filled with `Field.empty`, and whole
    numbers or floats of another width are taken where they fit, so that an older and a newer program read each other.
    Raises BadMessageError when the message cannot be read.
    """
    fields = tuple(field for field in table if only is None or field.name in only)
    batch = open_frame(value, MAX_ROWS, lambda schema: _check_schema(schema, fields))
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    _refuse_nulls(_ID, columns[_ID])
    arrays = {field.name: _numpy(field, columns.get(field.name), batch.num_rows) for field in fields}
    return Columns(fields, columns[_ID].to_pylist(), arrays)


def _arrow(field: Field, values: Array, n: int) -> pa.Array:
    if values.shape != (n, *field.shape) or values.dtype != field.dtype:
        raise ValueError(
            f"{field.name} is {values.dtype}{list(values.shape)}; {field.dtype}{[n, *field.shape]} was expected"
        )
    flat = numbers_column(np.ascontiguousarray(values).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, _width(field)) if field.shape else flat


def _numpy(field: Field, column: pa.Array | None, n: int) -> Array:
    if column is None:
        return np.full((n, *field.shape), field.empty, dtype=field.dtype)
    flat = column.values if field.shape else column
    _refuse_nulls(field.name, column)
    _refuse_nulls(field.name, flat)
    array: Array = numbers_in(_in_width(field, flat))
    return array[: n * _width(field)].reshape(n, *field.shape)


def _in_width(field: Field, flat: pa.Array) -> pa.Array:
    """As this program declares the field: its writer may have counted with more or fewer bits."""
    wanted = pa.from_numpy_dtype(np.dtype(field.dtype))
    if flat.type == wanted:
        return flat
    try:
        return flat.cast(wanted)
    except pa.ArrowInvalid as error:
        raise BadMessageError(Reason.MALFORMED, f"column {field.name!r} does not fit {wanted}: {error}") from error


def _refuse_nulls(name: str, column: pa.Array) -> None:
    if column.null_count:
        raise BadMessageError(Reason.MALFORMED, f"column {name!r} has nulls; a table column has none")


def _check_schema(schema: pa.Schema, fields: tuple[Field, ...]) -> None:
    names = schema.names
    if len(set(names)) != len(names):
        raise BadMessageError(Reason.MALFORMED, f"{len(names)} columns, of which some have one name")
    found = dict(zip(names, schema.types, strict=True))
    _check_type(_ID, found.get(_ID), pa.string())
    for field in fields:
        if field.name in found:
            _check_type(field.name, found[field.name], _arrow_type(field))


def _check_type(name: str, found: Any, expected: pa.DataType) -> None:
    if found != expected and _shape_and_kind(found) != _shape_and_kind(expected):
        raise BadMessageError(Reason.MALFORMED, f"column {name!r} is {str(found)[:80]}; {expected} was expected")


def _shape_and_kind(type_: Any) -> tuple[int, str]:
    """Values of a row, 0 for a scalar, and whether they are whole numbers or floats; other types are only themselves."""
    if type_ is not None and pa.types.is_fixed_size_list(type_):
        return type_.list_size, _shape_and_kind(type_.value_type)[1]
    if type_ is not None and pa.types.is_integer(type_):
        return 0, "integer"
    return 0, "float" if type_ is not None and pa.types.is_floating(type_) else str(type_)


def _arrow_type(field: Field) -> pa.DataType:
    primitive = pa.from_numpy_dtype(np.dtype(field.dtype))
    return pa.list_(primitive, _width(field)) if field.shape else primitive


def _width(field: Field) -> int:
    return int(np.prod(field.shape, dtype=np.int64))
