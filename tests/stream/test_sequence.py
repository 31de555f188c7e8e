"""At-least-once becomes exactly once: a number counts when it is above the newest, and never again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.contract import Record
from stream.dead_letters import BadMessageError, Reason
from stream.json_codec import decode_json, encode_json
from stream.sequence import WINDOW, Sequences, Taken


def sent(producer: str, sequence: str, time_ms: int = 0) -> Record:
    return Record("telemetry", 0, 0, producer, b"", {"producer": producer, "sequence": sequence}, time_ms)


def outcome(sequences: Sequences, producer: str, sequence: int) -> str:
    """`taken`, or the reason why not."""
    try:
        sequences.take(*sequences.check(sent(producer, str(sequence))), time_ms=0)
    except BadMessageError as error:
        return error.reason.value
    return "taken"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3 * WINDOW)), max_size=60))
def test_each_number_is_taken_once_and_in_order(arrivals: list[tuple[str, int]]) -> None:
    """Against a set of all that was taken: above the newest is taken, what was taken is a duplicate; what was not is
    out of order, as far back as the window remembers, and beyond that a duplicate too."""
    sequences, taken = Sequences(), {"a": set[int](), "b": set[int]()}
    for producer, number in arrivals:
        newest = max(taken[producer], default=-1)
        if number > newest:
            expected = "taken"
            taken[producer].add(number)
        elif number in taken[producer] or newest - number >= WINDOW:
            expected = "duplicate"
        else:
            expected = "out-of-order"
        assert outcome(sequences, producer, number) == expected


@given(st.lists(st.integers(0, 200), min_size=1, max_size=40))
def test_what_was_taken_survives_json(numbers: list[int]) -> None:
    """A window of 64 bits is a JSON number; a restored memory decides as the one that was saved."""
    first = Sequences()
    for number in numbers:
        outcome(first, "a", number)
    second = Sequences(decode_json(encode_json(first.snapshot()), dict[str, Taken]))
    assert [outcome(second, "a", n) for n in range(202)] == [outcome(first, "a", n) for n in range(202)]


@pytest.mark.parametrize(
    ("producer", "sequence"),
    [
        ("", "1"),
        ("p" * 257, "1"),
        ("p", ""),
        ("p", "-1"),
        ("p", "1.5"),
        ("p", "٣"),
        ("p", "9" * 30),
        ("p", str(1 << 62)),
    ],
)
def test_headers_that_say_nothing_are_malformed(producer: str, sequence: str) -> None:
    """Never an error of another kind, whatever a header holds."""
    with pytest.raises(BadMessageError) as refused:
        Sequences().check(sent(producer, sequence))
    assert refused.value.reason is Reason.MALFORMED


def test_a_producer_that_is_gone_is_forgotten() -> None:
    """Newest at 5 ms: forgotten before 6, kept before 5."""
    sequences = Sequences({"a": Taken(1, 1, 5)})
    sequences.forget_before(5)
    assert "a" in sequences.snapshot()
    sequences.forget_before(6)
    assert sequences.snapshot() == {}
