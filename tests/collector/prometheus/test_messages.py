"""Many protobuf messages read at once: as protobuf's own library reads each of them, and nothing but an error else."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.prometheus.messages import CorruptMessageError, Pieces, fields
from collector.protobuf import message_classes

NUMBERS = st.one_of(st.integers(0, 300), st.integers(0, 2**63 - 1))
FIELDS = st.lists(st.one_of(st.tuples(st.just("number"), NUMBERS), st.tuples(st.just("data"), st.binary(max_size=200))))
_One = message_classes("sizewise.tests", {"One": (("number", 20, "int64"), ("data", 2, "bytes"))})["One"]
_TAGS = {"number": 20 << 3, "data": 2 << 3 | 2}


def laid(messages: list[bytes]) -> Pieces:
    """One after another."""
    ends = list(accumulate(map(len, messages), initial=0))
    begin, end = (np.array([pair[i] for pair in pairwise(ends)], np.int64) for i in (0, 1))
    return Pieces(np.frombuffer(b"".join(messages), np.uint8), begin, end)


def read(pieces: Pieces) -> list[list[tuple[int, Any]]]:
    """Tag and value of each field of each message."""
    found: list[list[tuple[int, Any]]] = [[] for _ in range(len(pieces))]
    for field in fields(pieces):
        columns = field.of, field.tag, field.number, field.begin, field.end
        for of, tag, number, begin, end in zip(*(column.tolist() for column in columns), strict=True):
            found[of].append((tag, pieces.data[begin:end].tobytes() if tag & 7 == 2 else number))
    return found


@given(st.lists(FIELDS, max_size=8))
def test_fields_come_in_the_order_in_which_they_were_written(all_fields: list[list[tuple[str, Any]]]) -> None:
    """Fields of numbers and of bytes, of short and long lengths, as many as a message has."""
    messages = [b"".join(_One(**{name: value}).SerializeToString() for name, value in one) for one in all_fields]
    expected = [[(_TAGS[name], value) for name, value in one if value] for one in all_fields]
    assert read(laid(messages)) == expected  # protobuf leaves out a 0 and an empty text


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_any_bytes_are_read_within_their_message_or_refused(messages: list[bytes]) -> None:
    """No field ends outside its message, whatever its length claims."""
    pieces = laid(messages)
    try:
        for field in fields(pieces):
            assert (field.begin >= pieces.begin[field.of]).all()
            assert (field.end <= pieces.end[field.of]).all()
    except CorruptMessageError:
        pass
