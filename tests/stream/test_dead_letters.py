"""Dead letters."""

from __future__ import annotations

from stream.contract import Record
from stream.dead_letters import BadMessageError, Reason, dead_letter


def record(value: bytes | None) -> Record:
    return Record("telemetry", 3, 99, "producer", value, {"schema": "x"}, 5)


def test_a_dead_letter_says_where_it_came_from() -> None:
    """Stream, partition and offset lead back to the message; reason and detail say what was wrong with it."""
    letter = dead_letter(record(b"bytes"), BadMessageError(Reason.FUTURE, "time_ms is 2**62"))
    assert (letter.key, letter.value, letter.time_ms, letter.partition) == ("telemetry", b"bytes", 5, 0)
    assert letter.headers == {
        "reason": "future", "detail": "time_ms is 2**62", "stream": "telemetry", "partition": "3", "offset": "99",
    }  # fmt: skip


def test_a_dead_letter_always_fits() -> None:
    """8 MiB are cut at 1 MiB and an endless detail at 1,000 characters, so that the stream takes it."""
    letter = dead_letter(record(b"x" * (8 << 20)), BadMessageError(Reason.MALFORMED, "y" * 10_000))
    assert letter.value == b"x" * (1 << 20)
    assert letter.headers["detail"] == "y" * 1000


def test_a_tombstone_and_broken_text_are_letters_too() -> None:
    """No value stays no value; a lone surrogate becomes '?', because headers are UTF-8."""
    letter = dead_letter(record(None), BadMessageError(Reason.MALFORMED, "name \udcff"))
    assert letter.value is None
    assert letter.headers["detail"] == "name ?"
