"""Hostile bytes: whatever a message holds, a codec returns rows or raises BadMessageError, and memory stays bounded."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
from collections.abc import Callable

import pyarrow as pa
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.columns import Columns, Field, empty_arrays
from models.events import WorkloadEvent
from models.inventory import Node
from models.profile import PROFILE_FIELDS
from stream.arrow_frame import MAX_UNPACKED_BYTES
from stream.columns_codec import decode_columns, encode_columns
from stream.dead_letters import BadMessageError
from stream.json_codec import decode_json, encode_json
from stream.telemetry_decoder import MAX_ROWS, decode_telemetry
from stream.telemetry_encoder import encode_telemetry
from tests.stream.test_telemetry_codec import NOW_MS, arrow, batch, record

TABLE = (
    Field("rows", "int64", (), ""),
    Field("peak", "float32", (2,), "", float("nan")),
    Field("trend", "float64", (2, 5), ""),
    Field("action", "uint8", (2,), ""),
)
TELEMETRY = zstandard.decompress(encode_telemetry(batch(9, cpu_cores=1.0, memory_rss_bytes=5.0)))
ROWS = zstandard.decompress(encode_columns(Columns(TABLE, ["a", "b", "c"], empty_arrays(TABLE, 3))))
EVENT = encode_json(WorkloadEvent("oom-killed", "c/ns/deployment/web/app", "pod-1", "node-1", 5, {"peak": "1"}))

EXTREMES = st.sampled_from([0, 1, -1, 8, 64, 2**30, 2**31 - 1, -(2**31)])
edits = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.integers(0, 2**16), st.integers(0, 7)),
        st.tuples(st.just("set"), st.integers(0, 2**16), EXTREMES),
        st.tuples(st.just("cut"), st.integers(0, 2**16), st.sampled_from([1, 4, 8, 64])),
        st.tuples(st.just("grow"), st.integers(0, 2**16), st.sampled_from([1, 4, 8, 64])),
    ),
    min_size=1,
    max_size=6,
)
many = settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])


def edited(data: bytes, changes: list[tuple[str, int, int]]) -> bytes:
    """Bits flipped, 32-bit numbers set to extremes (sizes, counts, offsets), bytes cut out and put in."""
    out = bytearray(data)
    for what, where, amount in changes:
        at = where % max(1, len(out))
        if what == "flip" and out:
            out[at] ^= 1 << amount
        elif what == "set":
            out[at & ~3 : (at & ~3) + 4] = struct.pack("<i", amount)
        elif what == "cut":
            del out[at : at + amount]
        elif what == "grow":
            out[at:at] = bytes(amount)
    return bytes(out)


def survive_telemetry(value: bytes) -> None:
    """Rows of sane shape, or BadMessageError."""
    try:
        frame = decode_telemetry(record(value), NOW_MS)
    except BadMessageError:
        return
    assert frame.values.shape == (len(frame), 16)
    assert len(frame.workload.codes) == len(frame.instance.codes) == len(frame.interval_ms) == len(frame)
    assert not (frame.values < 0).any()


def survive_columns(value: bytes) -> None:
    try:
        columns = decode_columns(value, TABLE)
    except BadMessageError:
        return
    for field in TABLE:
        assert columns[field.name].shape == (len(columns), *field.shape)
        assert len(columns[field.name].tobytes()) == len(columns) * field.row_bytes


@many
@given(st.binary(max_size=300))
def test_random_bytes(value: bytes) -> None:
    """Noise is refused by all codecs, bare and inside a valid zstd frame."""
    for noise in (value, zstandard.compress(value)):
        survive_telemetry(noise)
        survive_columns(noise)
    for kind in (Node, WorkloadEvent):
        with pytest.raises(BadMessageError):
            decode_json(value, kind)


@many
@given(edits)
def test_edited_frames(changes: list[tuple[str, int, int]]) -> None:
    """A valid message, damaged on its way: the compressed bytes change."""
    survive_telemetry(edited(zstandard.compress(TELEMETRY), changes))
    survive_columns(edited(zstandard.compress(ROWS), changes))


@many
@given(edits)
def test_edited_arrow_streams(changes: list[tuple[str, int, int]]) -> None:
    """A hostile producer: a sound zstd frame around an Arrow stream whose sizes, offsets, counts and types were changed."""
    survive_telemetry(zstandard.compress(edited(TELEMETRY, changes)))
    survive_columns(zstandard.compress(edited(ROWS, changes)))


@many
@given(edits)
def test_edited_json(changes: list[tuple[str, int, int]]) -> None:
    """An event, or BadMessageError."""
    try:
        event = decode_json(edited(EVENT, changes), WorkloadEvent)
    except BadMessageError:
        return
    assert isinstance(event, WorkloadEvent)


@given(st.integers(0, 3000))
def test_every_truncation_is_refused(cut: int) -> None:
    """A message that ends early is never a shorter message."""
    for value in (zstandard.compress(TELEMETRY), zstandard.compress(ROWS)):
        shorter = value[: cut % len(value)]
        with pytest.raises(BadMessageError):
            decode_telemetry(record(shorter), NOW_MS)
        with pytest.raises(BadMessageError):
            decode_columns(shorter, TABLE)


def zeros(declared: int = MAX_UNPACKED_BYTES) -> bytes:
    """A zstd frame that holds 64 MiB and declares what we want."""
    frame = bytearray(zstandard.compress(bytes(MAX_UNPACKED_BYTES)))
    at = frame.index(struct.pack("<I", MAX_UNPACKED_BYTES))
    frame[at : at + 4] = struct.pack("<I", declared)
    assert zstandard.frame_content_size(bytes(frame)) == declared
    return bytes(frame)


def empty_rows(n: int) -> pa.RecordBatch:
    text, numbers = pa.array([""] * n), pa.array([0] * n)
    return arrow(workload=text, instance=text, time_ms=numbers, interval_ms=numbers)


BOMBS: dict[str, Callable[[], bytes]] = {
    "64 MiB of zeros": zeros,
    "declares 1000 bytes and holds 64 MiB": lambda: zeros(1000),
    "declares 4 GiB": lambda: zeros(0xFFFFFFFF),
    "two billion nulls": lambda: _sealed(pa.RecordBatch.from_arrays([pa.nulls(2**31 - 1)], ["workload"])),
    "one row too many": lambda: _sealed(empty_rows(MAX_ROWS + 1)),
    "rows without columns": lambda: _sealed(pa.RecordBatch.from_arrays([pa.array([""] * MAX_ROWS)], ["workload"])),
    "compressed twice": lambda: _sealed(arrow(x=pa.array([bytes(256 << 20)])), "zstd"),
}
"""Small messages that stand for much."""


def _sealed(rows: pa.RecordBatch, compression: str | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_batch(rows)
    return zstandard.compress(sink.getvalue())


def defuse() -> None:
    """Open the bomb on standard input with both codecs, and print by how many MiB the process grew."""
    value = sys.stdin.buffer.read()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for open_it in (lambda: decode_telemetry(record(value), NOW_MS), lambda: decode_columns(value, PROFILE_FIELDS)):
        with pytest.raises(BadMessageError):
            open_it()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)


@pytest.mark.parametrize("name", list(BOMBS))
def test_a_bomb_does_not_go_off(name: str) -> None:
    """Opened in a fresh process, a few kilobytes that stand for up to terabytes cost less than 200 MiB, and an error."""
    bomb = BOMBS[name]()
    assert len(bomb) < 256 << 10
    grown = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import defuse; defuse()"],
        input=bomb,
        stdout=subprocess.PIPE,
        check=True,
    )
    assert int(grown.stdout) < 200
