"""Telemetry messages: what a collector writes, a profiler reads; what nobody should have written is refused by reason."""

from __future__ import annotations

import subprocess
import sys
from array import array

import numpy as np
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from collector.telemetry_rows import decode_rows
from models.signals import SIGNALS, RowKind
from models.telemetry import KEY_COLUMNS, Packed, Repeated, TelemetryBatch
from stream import schemas
from stream.arrow_frame import MAX_UNPACKED_BYTES, seal
from stream.contract import Record
from stream.dead_letters import BadMessageError, Reason
from stream.telemetry_decoder import ANCIENT_MS, FUTURE_MS, decode_telemetry
from stream.telemetry_encoder import encode_telemetry

NOW_MS = 1_760_000_000_000
WORKLOAD = "c/ns/deployment/web/app"


def record(value: bytes | None, kind: RowKind = "cpu") -> Record:
    return Record("telemetry", 0, 7, "producer", value, {"schema": schemas.TELEMETRY[kind]}, NOW_MS)


def batch(
    n: int = 1, workload: str = WORKLOAD, time_ms: int = NOW_MS, interval_ms: int = 1000, **signals: float | None
) -> TelemetryBatch:
    return TelemetryBatch(
        "cpu",
        {"workload": [workload] * n, "instance": ["pod-1"] * n},
        [time_ms] * n,
        [interval_ms] * n,
        {name: [value] * n for name, value in signals.items()},
    )


def arrow(**columns: object) -> pa.RecordBatch:
    """A valid one-row batch with some columns replaced."""
    plain: dict[str, object] = {
        "workload": pa.array([WORKLOAD]),
        "instance": pa.array(["pod-1"]),
        "time_ms": pa.array([NOW_MS]),
        "interval_ms": pa.array([1000]),
    }
    arrays = {name: column for name, column in {**plain, **columns}.items() if column is not None}
    return pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays))


@st.composite
def batches(draw: st.DrawFn) -> TelemetryBatch:
    kind: RowKind = draw(st.sampled_from(["cpu", "gpu"]))
    n = draw(st.integers(0, 20))
    text = st.text(max_size=20)
    ids = st.builds(
        lambda parts: "/".join(parts), st.lists(st.text("ab.ü", min_size=1, max_size=5), min_size=5, max_size=5)
    )
    keys = {name: draw(st.lists(text, min_size=n, max_size=n)) for name in KEY_COLUMNS[kind]}
    keys["workload"] = draw(st.lists(ids, min_size=n, max_size=n))
    chosen = draw(st.lists(st.sampled_from(SIGNALS[kind]), unique=True))
    columns = {s.name: draw(st.lists(st.none() | st.floats(0, s.high), min_size=n, max_size=n)) for s in chosen}
    times = draw(st.lists(st.integers(NOW_MS - ANCIENT_MS, NOW_MS + FUTURE_MS), min_size=n, max_size=n))
    spans = draw(st.lists(st.integers(1, 86_400_000), min_size=n, max_size=n))
    return TelemetryBatch(kind, keys, times, spans, columns)


@given(batches())
def test_every_row_comes_back_as_it_was(sent: TelemetryBatch) -> None:
    """Keys, times and values survive exactly; None and a signal that was never given are NaN."""
    frame = decode_telemetry(record(encode_telemetry(sent), sent.kind), NOW_MS)
    assert frame.rejected == {}
    for name in KEY_COLUMNS[sent.kind]:
        assert [frame.keys[name][row] for row in range(len(frame))] == list(sent.keys[name])
    assert frame.time_ms.tolist() == list(sent.time_ms)
    assert frame.interval_ms.tolist() == list(sent.interval_ms)
    for column, signal in enumerate(SIGNALS[sent.kind]):
        values = sent.signals.get(signal.name, [None] * len(sent))
        expected = [np.nan if value is None else value for value in values]
        np.testing.assert_array_equal(frame.values[:, column], expected)


def test_memory_keeps_every_byte() -> None:
    """2**40 + 1 bytes need 41 bits: a float32 would drop the last one."""
    frame = decode_telemetry(record(encode_telemetry(batch(memory_rss_bytes=2**40 + 1))), NOW_MS)
    assert frame.values[0, 6] == 2**40 + 1


def test_a_row_costs_only_what_is_known() -> None:
    """A signal that no row has is not in the message at all; 8-byte columns of arrays are taken as they are."""
    sent = batch(3, cpu_cores=1.0, memory_rss_bytes=None)
    with_array = TelemetryBatch("cpu", sent.keys, sent.time_ms, sent.interval_ms, {"cpu_cores": array("d", [1.0] * 3)})
    assert encode_telemetry(sent) == encode_telemetry(with_array)


def test_200_workloads_fit_a_message() -> None:
    """A flush of 200 workloads and 10 rows each, all signals known and different, is far below 1 MiB."""
    rows = range(2000)
    sent = TelemetryBatch(
        "cpu",
        {
            "workload": [f"c/ns/deployment/service-{i % 200}/app" for i in rows],
            "instance": [f"pod-{i % 200}" for i in rows],
        },
        [NOW_MS] * 2000,
        [1000] * 2000,
        {signal.name: [i * signal.high / 4000 for i in rows] for signal in SIGNALS["cpu"]},
    )
    assert len(encode_telemetry(sent)) < 512 << 10


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cpu_cores": -0.5}, Reason.OUT_OF_RANGE),
        ({"cpu_cores": float("nan")}, Reason.OUT_OF_RANGE),
        ({"cpu_cores": float("inf")}, Reason.OUT_OF_RANGE),
        ({"cpu_pressure_ratio": 1.01}, Reason.OUT_OF_RANGE),
        ({"interval_ms": 0}, Reason.OUT_OF_RANGE),
        ({"interval_ms": 86_400_001}, Reason.OUT_OF_RANGE),
        ({"time_ms": NOW_MS + 5 * 60_000 + 1}, Reason.FUTURE),
        ({"time_ms": 2**62}, Reason.FUTURE),
        ({"time_ms": NOW_MS - 400 * 86_400_000 - 1}, Reason.ANCIENT),
        ({"time_ms": -(2**62)}, Reason.ANCIENT),
        ({"workload": ""}, Reason.MALFORMED),
        ({"workload": "a/b/c/d"}, Reason.MALFORMED),
        ({"workload": "a/b/c/d/e/f"}, Reason.MALFORMED),
        ({"workload": "/b/c/d/e"}, Reason.MALFORMED),
        ({"workload": "a/b/c/d/" + "ü" * 509}, Reason.MALFORMED),
    ],
)
def test_a_bad_row_is_left_out_and_the_good_ones_stay(changes: dict[str, object], reason: Reason) -> None:
    """Three rows, the middle one impossible: two remain, and row 1 is reported with its reason."""
    good, bad = batch(cpu_cores=0.5, cpu_pressure_ratio=1.0), batch(**{"cpu_cores": 0.5, **changes})
    rows = (good, bad, good)
    sent = TelemetryBatch(
        "cpu",
        {name: [row.keys[name][0] for row in rows] for name in good.keys},
        [row.time_ms[0] for row in rows],
        [row.interval_ms[0] for row in rows],
        {s: [row.signals.get(s, [None])[0] for row in rows] for s in ("cpu_cores", "cpu_pressure_ratio")},
    )
    frame = decode_telemetry(record(encode_telemetry(sent)), NOW_MS)
    assert len(frame) == 2
    assert frame.workload.names == [WORKLOAD]
    assert {why: rows.tolist() for why, rows in frame.rejected.items()} == {reason: [1]}
    assert [str(error) for error in frame.errors()] == [f"{reason}: 1 rows of 3 left out, the first is row 1"]


def test_a_row_with_two_faults_counts_once() -> None:
    """Reasons partition the bad rows, so that counters add up to rows."""
    frame = decode_telemetry(record(encode_telemetry(batch(time_ms=2**61, cpu_cores=-1.0))), NOW_MS)
    assert {why: rows.tolist() for why, rows in frame.rejected.items()} == {Reason.FUTURE: [0]}


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, Reason.MALFORMED, "no value"),
        (b"", Reason.MALFORMED, "not a zstd frame"),
        (b"hello, world", Reason.MALFORMED, "not a zstd frame: it begins '68656c6c6f2c2077'"),
        (encode_telemetry(batch())[:-1], Reason.TRUNCATED, "full frame"),
        (encode_telemetry(batch()) + b"x", Reason.MALFORMED, "1 bytes of unused data"),
        (zstandard.compress(bytes(MAX_UNPACKED_BYTES + 1)), Reason.OVERSIZED, "unpacks to 67108865 bytes"),
        (zstandard.ZstdCompressor(write_content_size=False).compress(b"x"), Reason.MALFORMED, "not declare its size"),
        (zstandard.compress(b"not Arrow"), Reason.MALFORMED, "not an Arrow stream"),
        (zstandard.compress(b""), Reason.MALFORMED, "an Arrow stream of nothing"),
        (seal(arrow(workload=None)), Reason.MALFORMED, "column 'workload' is missing"),
        (seal(arrow(time_ms=pa.array([1.0]))), Reason.MALFORMED, "column 'time_ms' is double; int64 was expected"),
        (seal(arrow(time_ms=pa.array([None], pa.int64()))), Reason.MALFORMED, "column 'time_ms' has 1 nulls"),
        (seal(arrow(instance=pa.array([None], pa.string()))), Reason.MALFORMED, "'instance' begins with a null"),
        (seal(arrow(cpu_cores=pa.array(["1"]))), Reason.MALFORMED, "column 'cpu_cores' is string; double was expected"),
        (seal(arrow(cpu_cores=pa.array([1.0], pa.float32()))), Reason.MALFORMED, "'cpu_cores' is float"),
        (seal(arrow(future=pa.array([[1]]))), Reason.MALFORMED, "column 'future' is list"),
        (seal(arrow(**{f"x{i}": pa.array([1.0]) for i in range(129)})), Reason.MALFORMED, "at most 128"),
        (
            seal(arrow(instance=pa.array(["a"]).dictionary_encode())),
            Reason.MALFORMED,
            "stream of schema, dictionary, record batch",
        ),
    ],
)
def test_a_message_that_cannot_be_read_says_why(value: bytes | None, reason: Reason, detail: str) -> None:
    """Refused whole, with the reason and the field or size that is wrong."""
    with pytest.raises(BadMessageError) as caught:
        decode_telemetry(record(value), NOW_MS)
    assert caught.value.reason == reason
    assert detail in caught.value.detail


def test_an_unknown_schema_is_named() -> None:
    """The header decides, before a byte of the value is looked at."""
    foreign = Record("telemetry", 0, 7, "p", b"", {"schema": "telemetry.tpu/1"}, NOW_MS)
    with pytest.raises(
        BadMessageError, match=r"unknown-schema: header schema is 'telemetry.tpu/1'; telemetry.cpu/1 or"
    ):
        decode_telemetry(foreign, NOW_MS)


def test_a_newer_producers_signal_is_ignored() -> None:
    """A float64 column of an unknown name does not stop an older profiler."""
    frame = decode_telemetry(record(seal(arrow(cpu_temperature=pa.array([300.0]), cpu_cores=pa.array([2.0])))), NOW_MS)
    assert frame.values[0, 0] == 2.0


def test_invalid_utf8_is_refused() -> None:
    """Arrow does not look at text on reading; full validation does."""
    text = pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xff\xfe"))
    with pytest.raises(BadMessageError, match="Invalid UTF8"):
        decode_telemetry(record(seal(arrow(instance=text))), NOW_MS)


def test_a_second_compression_inside_is_refused() -> None:
    """64 MiB of zstd inside a 64 MiB frame could unpack to terabytes; nothing bounds it, so it is not read."""
    sink = pa.BufferOutputStream()
    plain = arrow(cpu_cores=pa.array([1.0]))
    with pa.ipc.new_stream(sink, plain.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(plain)
    with pytest.raises(BadMessageError, match="Arrow body is compressed"):
        decode_telemetry(record(zstandard.compress(sink.getvalue())), NOW_MS)


def test_a_second_batch_and_a_tail_are_refused() -> None:
    """One message, one batch: what follows would be ignored by one reader and absorbed by another."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, arrow().schema) as writer:
        writer.write_batch(arrow())
        writer.write_batch(arrow())
    with pytest.raises(BadMessageError, match="one schema and one batch"):
        decode_telemetry(record(zstandard.compress(sink.getvalue())), NOW_MS)
    one = zstandard.decompress(seal(arrow()))
    with pytest.raises(BadMessageError, match="4 bytes follow"):
        decode_telemetry(record(zstandard.compress(one + b"tail")), NOW_MS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signals": {"cpu_core": [1.0]}}, "'cpu_core' is not a cpu signal"),
        ({"signals": {"cpu_cores": [1.0, 2.0]}}, "column 'cpu_cores' has 2 rows and time_ms has 1"),
        ({"keys": {"workload": [WORKLOAD]}}, "cpu rows need the key column 'instance'"),
    ],
)
def test_a_producers_mistake_is_named(change: dict[str, object], message: str) -> None:
    """A wrong batch is a bug of the producer and never becomes a message."""
    plain = batch()
    fields = {"keys": plain.keys, "time_ms": [NOW_MS], "interval_ms": [1000], "signals": {}, **change}
    with pytest.raises(ValueError, match=message):
        encode_telemetry(TelemetryBatch("cpu", **fields))


def test_the_encoder_needs_neither_numpy_nor_pyarrow() -> None:
    """A collector carries it in a process that must stay small."""
    code = "import sys, stream.telemetry_encoder; print({'numpy', 'pyarrow', 'pandas'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 20), st.booleans()), min_size=1, max_size=12))
def test_ids_that_repeat_and_packed_values_are_read_as_rows(runs: list[tuple[str, int, bool]]) -> None:
    """A text once for its rows, a bit per value: the same rows as lists of texts and of None say, in fewer bytes for many."""
    lengths = [length for _, length, _ in runs]
    ids = [f"c/ns/Deployment/{name}/app" for name, _, _ in runs]
    present = np.repeat([there for _, _, there in runs], lengths)
    n, values = sum(lengths), np.arange(float(sum(lengths)))
    packed = Packed(array("d", values.tobytes()), np.packbits(present, bitorder="little").tobytes())
    repeated = {"workload": Repeated(ids, lengths), "instance": Repeated(["pod-1"] * len(ids), lengths)}
    listed = {name: list(column) for name, column in repeated.items()}
    times, spans = [NOW_MS - i for i in range(n)], [1000] * n
    compact = TelemetryBatch("cpu", repeated, times, spans, {"cpu_cores": packed})
    plain = TelemetryBatch("cpu", listed, times, spans, {"cpu_cores": list(packed)})
    frames = [decode_telemetry(record(encode_telemetry(each)), NOW_MS) for each in (compact, plain)]
    for name in ("workload", "instance"):
        first, second = ([frame.keys[name][row] for row in range(n)] for frame in frames)
        assert first == second == listed[name]
    assert np.array_equal(frames[0].values, frames[1].values, equal_nan=True)
    rows = decode_rows(encode_telemetry(compact), "cpu")
    assert rows.keys == listed
    assert rows.signals.get("cpu_cores", [None] * n) == list(packed)
