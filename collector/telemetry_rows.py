"""Telemetry out of a recording, as plain columns: the light reverse of `stream.telemetry_encoder`.

`stream.telemetry_decoder` needs pyarrow and numpy, which a collector never loads. A recording is a file that this
program wrote, so here a part is only checked for being whole and of its kind.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import nanoarrow as na
import zstandard
from nanoarrow.ipc import InputStream

from models.signals import RowKind
from models.telemetry import KEY_COLUMNS, TelemetryBatch


def decode_rows(value: bytes, kind: RowKind) -> TelemetryBatch:
    """The rows of one telemetry part. Raises ValueError when it is no such part."""
    try:
        stream = InputStream.from_readable(io.BytesIO(zstandard.ZstdDecompressor().decompress(value)))
        rows = na.Array(na.c_array_stream(stream))
        names = [field.name for field in rows.schema.fields]
        columns = {name: rows.child(i).to_pylist() for i, name in enumerate(names)}
    except (zstandard.ZstdError, RuntimeError, ValueError) as error:  # nanoarrow's own exception is a RuntimeError
        raise ValueError(f"not a telemetry batch: {error}") from error
    missing = {"time_ms", "interval_ms", *KEY_COLUMNS[kind]} - columns.keys()
    if missing:
        raise ValueError(f"a {kind} batch without the columns {', '.join(sorted(missing))}")
    keys = {name: _filled(columns.pop(name)) for name in KEY_COLUMNS[kind]}
    return TelemetryBatch(kind, keys, columns.pop("time_ms"), columns.pop("interval_ms"), columns)


def _filled(texts: Sequence[str | None]) -> list[str]:
    """A null is the text of the row before."""
    filled: list[str] = []
    for text in texts:
        filled.append(filled[-1] if text is None else text)
    return filled
