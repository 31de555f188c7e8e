"""Series as text: what is written is what Prometheus reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.metrics import MetricSpec
from recommender.exposition.text import Exposition, Labels
from tests.recommender.exposition.scraped import scraped

CATALOGUE = {
    "x": MetricSpec("x", "gauge", "One\nline with a \\", ("a", "b")),
    "y_total": MetricSpec("y_total", "counter", "No labels"),
}
TEXT = st.text(st.characters(blacklist_categories=("Cs",)))


@given(st.lists(st.tuples(TEXT, TEXT, st.floats(allow_infinity=False)), max_size=8, unique_by=lambda row: row[:2]))
def test_any_label_and_any_number_come_back_as_they_were(rows: list[tuple[str, str, float]]) -> None:
    """Quotes, backslashes, line ends and the like in labels, every finite number; NaN means not known and is left out."""
    out = Exposition(CATALOGUE)
    labels = Labels.of({"a": [a for a, _, _ in rows], "b": [b for _, b, _ in rows]})
    out.add("x", labels, np.array([number for _, _, number in rows], dtype=np.float64))
    wanted = {frozenset({("a", a), ("b", b)}): number for a, b, number in rows if number == number}
    assert scraped(out.text()).get("x", {}) == wanted


def test_help_type_and_order() -> None:
    """Each family once, in the order of its first series, with its help on one line; a family without series is not there."""
    out = Exposition(CATALOGUE)
    out.single("y_total", 3.0)
    labels = Labels.of({"a": ["1", "2"]})
    out.add("x", labels.plus(b='"'), np.array([np.inf, 0.5]))
    out.one("x", labels.take(np.array([1])).with_columns(b=["c"]))
    assert out.text().decode().splitlines() == [
        "# HELP y_total No labels",
        "# TYPE y_total counter",
        "y_total 3.0",
        "# HELP x One\\nline with a \\\\",
        "# TYPE x gauge",
        'x{a="2",b="\\""} 0.5',
        'x{a="2",b="c"} 1',
    ]
    nothing = Exposition(CATALOGUE)
    nothing.add("x", labels.plus(b=""), np.array([np.nan, np.nan]))
    assert nothing.text() == b""


def test_a_name_or_label_that_is_not_declared_is_refused() -> None:
    """Dashboards and alerts rest on the catalogue."""
    out = Exposition(CATALOGUE)
    with pytest.raises(KeyError):
        out.single("z", 1.0)
    with pytest.raises(ValueError, match=r"x has the labels \('b', 'a'\); the catalogue declares \('a', 'b'\)"):
        out.one("x", Labels.of({"b": ["1"], "a": ["2"]}))
    with pytest.raises(ValueError, match="x has no labels here"):
        out.single("x", 1.0)
