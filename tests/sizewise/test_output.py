"""Text from elsewhere, as people and programs are shown it."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sizewise.output import printable, render
from sizewise.process import OneLine


@given(st.text(st.characters(codec=None)))
def test_nothing_that_moves_a_cursor_is_left(text: str) -> None:
    """Controls, marks of direction, lone surrogates and line ends are escaped; what can be read stays as it is."""
    shown = printable(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("given", "shown"), [("a\x1b[31m", r"a\x1b[31m"), ("a\nb", r"a\nb"), ("\u202eb", r"\u202eb"), ("né [x]", "né [x]")]
)
def test_escapes_are_those_of_python(given: str, shown: str) -> None:
    assert printable(given) == shown
    assert render([{"name": given}], "markdown").endswith("| " + shown.replace("\\n", " ").replace("\\", "\\\\") + " |")


def test_a_message_of_the_log_is_one_line() -> None:
    record = logging.LogRecord("a", logging.ERROR, "", 0, "%s failed", ("GET /x\n2026 INFO fine",), None)
    assert OneLine("%(message)s").format(record) == r"GET /x\n2026 INFO fine failed"
