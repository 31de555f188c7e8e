"""Rows of a stream into a file: JSON lines, CSV or Parquet, by the file's name, in chunks."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from models.signals import CPU_SIGNALS, GPU_SIGNALS
from models.telemetry import KEY_COLUMNS
from sizewise.exits import USAGE, Exit
from stream.streams import TELEMETRY

CHUNK_ROWS = 50_000
Rows = Iterable[dict[str, Any]]


def export_rows(rows: Rows, stream: str, file: Path) -> int:
    """How many rows were written. Raises Exit for a name that tells no format, and for a file that cannot be written."""
    suffix = ".jsonl" if str(file) == "-" else file.suffix
    if suffix not in (".jsonl", ".json", ".csv", ".parquet"):
        raise Exit(f"{file} ends in {suffix or 'nothing'}; name it .jsonl, .csv or .parquet", USAGE)
    try:
        if suffix == ".parquet":
            return _parquet(rows, stream, file)
        if str(file) == "-":
            return _json_lines(rows, sys.stdout)
        with file.open("w", newline="") as out:
            return _csv(rows, out) if suffix == ".csv" else _json_lines(rows, out)
    except OSError as error:
        raise Exit(f"cannot write {file}: {error.strerror}") from error


def _json_lines(rows: Rows, out: TextIO) -> int:
    count = 0
    for row in rows:
        out.write(json.dumps(row, separators=(",", ":")) + "\n")
        count += 1
    return count


def _csv(rows: Rows, out: TextIO) -> int:
    """Columns are those of the first chunk; a nested value is JSON."""
    count, writer = 0, None
    for chunk in _chunks(rows):
        if writer is None:
            writer = csv.DictWriter(
                out, list(dict.fromkeys(name for row in chunk for name in row)), extrasaction="ignore"
            )
            writer.writeheader()
        writer.writerows([{name: _flat(value) for name, value in row.items()} for row in chunk])
        count += len(chunk)
    return count


def _parquet(rows: Rows, stream: str, file: Path) -> int:
    count, writer = 0, None
    try:
        for chunk in _chunks(rows):
            flat = [{name: _flat(value) for name, value in row.items()} for row in chunk]
            table = pa.Table.from_pylist(flat, schema=_schema(stream) if writer is None else writer.schema)
            writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
            writer.write_table(table)
            count += len(chunk)
    finally:
        if writer is not None:
            writer.close()
    return count


def _schema(stream: str) -> pa.Schema | None:
    """Of telemetry the declared one, so that a signal that is null in the first chunk keeps its type."""
    if stream != TELEMETRY:
        return None
    keys = dict.fromkeys((*KEY_COLUMNS["cpu"], *KEY_COLUMNS["gpu"]), pa.string())
    times = dict.fromkeys(("time_ms", "interval_ms"), pa.int64())
    signals = dict.fromkeys((signal.name for signal in (*CPU_SIGNALS, *GPU_SIGNALS)), pa.float64())
    return pa.schema(list((keys | times | signals).items()))


def _chunks(rows: Rows) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while chunk := list(itertools.islice(iterator, CHUNK_ROWS)):
        yield chunk


def _flat(value: Any) -> Any:
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict | list | tuple) else value
