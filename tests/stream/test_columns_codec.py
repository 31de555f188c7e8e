"""Tables as messages: bit for bit, and readable across versions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.columns import Columns, Field, empty_arrays
from models.profile import PROFILE_FIELDS
from models.recommendation import RECOMMENDATION_FIELDS
from stream.arrow_frame import seal
from stream.columns_codec import MAX_ROWS, decode_columns, encode_columns
from stream.dead_letters import BadMessageError, Reason

TABLES = [PROFILE_FIELDS, RECOMMENDATION_FIELDS]


def random_columns(table: tuple[Field, ...], n: int, seed: int) -> Columns:
    """Rows of random bits: NaNs with payloads, infinities, denormals and all."""
    rng = np.random.default_rng(seed)
    arrays = {f.name: np.frombuffer(rng.bytes(n * f.row_bytes), dtype=f.dtype).reshape(n, *f.shape) for f in table}
    return Columns(table, [f"c/ns/deployment/service-{i}/ü" for i in range(n)], arrays)


@pytest.mark.parametrize("table", TABLES)
@given(n=st.integers(0, 5), seed=st.integers(0, 2**32))
def test_every_bit_comes_back(table: tuple[Field, ...], n: int, seed: int) -> None:
    """Arbitrary bits in every field survive, so a state that is read again is the state that was written."""
    sent = random_columns(table, n, seed)
    got = decode_columns(encode_columns(sent), table)
    assert list(got.workloads) == list(sent.workloads)
    for field in table:
        assert got[field.name].dtype == field.dtype
        assert got[field.name].shape == (n, *field.shape)
        assert got[field.name].tobytes() == sent[field.name].tobytes()


def test_minus_zero_and_a_nan_payload_survive() -> None:
    """-0.0 stays negative and the payload 0xdead of a NaN stays: the codec never looks at a value."""
    table = (Field("x", "float64", (2,), ""),)
    bits = np.array([[0x8000000000000000, 0x7FF800000000DEAD]], dtype=np.uint64)
    got = decode_columns(encode_columns(Columns(table, ["a"], {"x": bits.view(np.float64)})), table)
    assert got["x"].view(np.uint64).tolist() == bits.tolist()


def test_only_the_named_fields_are_read() -> None:
    """A view that shows three numbers does not carry 8 KB a row."""
    sent = random_columns(PROFILE_FIELDS, 3, 1)
    got = decode_columns(encode_columns(sent), PROFILE_FIELDS, only={"rows", "histogram"})
    assert set(got.arrays) == {"rows", "histogram"} == {field.name for field in got.table}


def test_an_older_and_a_newer_program_read_each_other() -> None:
    """A column that the reader does not know is ignored; one that the writer did not know holds what `empty` says."""
    old = (Field("a", "int64", (), ""), Field("gone", "float32", (3,), ""))
    new = (Field("a", "int64", (), ""), Field("b", "float32", (2,), "", empty=-1.5))
    sent = Columns(old, ["w"], {**empty_arrays(old, 1), "a": np.array([7])})
    got = decode_columns(encode_columns(sent), new)
    assert got["a"].tolist() == [7]
    assert got["b"].tolist() == [[-1.5, -1.5]]


def test_numbers_of_another_width_are_taken_where_they_fit() -> None:
    """A program that counted in 64 bits wrote 7 and 2^31; one that counts in unsigned 32 reads both, and refuses 2^32."""
    wide, narrow = (
        (Field("a", "int64", (), ""), Field("b", "float64", (2,), "")),
        (
            Field("a", "uint32", (), ""),
            Field("b", "float32", (2,), ""),
        ),
    )
    rows = {"a": np.array([7, 1 << 31]), "b": np.array([[0.5, np.nan], [1.5, -2.0]])}
    read = decode_columns(encode_columns(Columns(wide, ["x", "y"], rows)), narrow)
    assert read["a"].dtype == np.uint32
    assert read["a"].tolist() == [7, 1 << 31]
    assert read["b"].dtype == np.float32
    np.testing.assert_array_equal(read["b"], rows["b"])
    with pytest.raises(BadMessageError, match="column 'a' does not fit uint32"):
        decode_columns(encode_columns(Columns(wide, ["x", "y"], rows | {"a": np.array([7, 1 << 32])})), narrow)


def test_rows_in_any_memory_order_are_encoded() -> None:
    """A strided view (every second row of a store) gives the same message as its copy."""
    store = random_columns(PROFILE_FIELDS, 6, 2)
    view = Columns(PROFILE_FIELDS, store.workloads[::2], {name: array[::2] for name, array in store.arrays.items()})
    assert encode_columns(view) == encode_columns(store.take(np.array([0, 2, 4])))


@pytest.mark.parametrize(
    ("columns", "detail"),
    [
        ({"a": pa.array([1])}, "column 'workload' is None; string was expected"),
        ({"workload": pa.array(["w"]), "a": pa.array([1.0])}, "column 'a' is double; int64 was expected"),
        ({"workload": pa.array(["w"]), "a": pa.array([None], pa.int64())}, "column 'a' has nulls"),
        ({"workload": pa.array([None], pa.string())}, "column 'workload' has nulls"),
        ({"workload": pa.array(["w"]), "b": pa.array([[1.0]], pa.list_(pa.float32(), 1))}, "fixed_size_list"),
        ({"workload": pa.array(["w"]), "b": pa.array([None], pa.list_(pa.float32(), 2))}, "column 'b' has nulls"),
        ({"workload": pa.array(["w"]), "b": pa.array([[1, None]], pa.list_(pa.float32(), 2))}, "column 'b' has nulls"),
    ],
)
def test_a_column_of_another_shape_is_refused(columns: dict[str, pa.Array], detail: str) -> None:
    """A type, a width or a null that the table does not have is an error that names the column."""
    table = (Field("a", "int64", (), ""), Field("b", "float32", (2,), ""))
    value = seal(pa.RecordBatch.from_arrays(list(columns.values()), list(columns)))
    with pytest.raises(BadMessageError) as caught:
        decode_columns(value, table)
    assert detail in caught.value.detail


def test_more_rows_than_a_table_has_are_refused() -> None:
    """8,193 empty names take 32 KB to send and, with every column filled in, would take 64 MiB to hold."""
    value = seal(pa.RecordBatch.from_arrays([pa.array([""] * (MAX_ROWS + 1))], ["workload"]))
    with pytest.raises(BadMessageError) as caught:
        decode_columns(value, PROFILE_FIELDS)
    assert caught.value.reason == Reason.OVERSIZED


def test_a_wrong_array_is_not_sent() -> None:
    """A field of another dtype is a bug of the writer."""
    table = (Field("a", "int64", (), ""),)
    with pytest.raises(ValueError, match=r"a is float64\[1\]; int64\[1\] was expected"):
        encode_columns(Columns(table, ["w"], {"a": np.array([1.0])}))
