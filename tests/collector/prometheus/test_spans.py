"""Spans that are halved until a server gives them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.prometheus.answer import Series, labelled
from collector.prometheus.session import LimitError
from collector.prometheus.spans import Spans, joined

DAY_S = 86_400.0


class Server:
    """Has a sample each second under one name, and gives `most` at once."""

    def __init__(self, most: int) -> None:
        self.most, self.asked = most, list[float]()

    def __call__(self, start_s: float, end_s: float) -> list[Series]:
        self.asked.append(end_s - start_s)
        times = np.arange(np.ceil(start_s), np.floor(end_s) + 1) * 1000
        if len(times) > self.most:
            raise LimitError(f"too many samples: {len(times)}")
        return [Series("up", lambda _: {"a": "b"}, times.astype(np.int64), times / 2)]


@given(st.integers(200, 100_000), st.floats(0, DAY_S), st.floats(0, DAY_S))
def test_each_sample_comes_once_and_in_order(most: int, start_s: float, length_s: float) -> None:
    """Whatever the limit is, as long as a minute of samples keeps to it, both ends are of the span."""
    start_s, end_s = round(start_s, 3), round(start_s + length_s, 3)
    found = Spans().asked("up", start_s, end_s, Server(most))
    expected = [1000 * second for second in range(int(np.ceil(start_s)), int(np.floor(end_s)) + 1)]
    (one,) = found
    assert one.time_ms.tolist() == expected
    assert one.value.tolist() == [time / 2 for time in expected]


def test_what_was_too_much_once_is_not_asked_for_again() -> None:
    """An hour of samples at once: of a day five refusals, and spans of 45 minutes; of the next day no refusal."""
    server, spans = Server(3600), Spans()
    spans.asked("up", 0, DAY_S, server)
    assert sorted(server.asked)[-5:] == pytest.approx([5400, 10_800, 21_600, 43_200, 86_400], abs=0.1)
    server.asked.clear()
    spans.asked("up", DAY_S, 2 * DAY_S, server)
    assert len(server.asked) == 32
    spans.asked("down", 0, DAY_S, server)
    assert max(server.asked) == DAY_S


def test_a_limit_that_a_minute_breaks_is_handed_on() -> None:
    """No end of halving: from a day to under two minutes ten times."""
    server = Server(10)
    with pytest.raises(LimitError, match="too many samples"):
        Spans().asked("up", 0, DAY_S, server)
    assert len(server.asked) == 11


def test_series_are_joined_by_labels_in_any_order() -> None:
    """VictoriaMetrics writes labels of one series now so, now so. Labels alone have no samples to join."""
    one, other = labelled({"a": "1", "b": "2"}), labelled({"b": "2", "a": "1"})
    assert one.key != other.key
    assert [series.labels() for series in joined([[one], [other, labelled({"a": "1"})]])] == [
        {"a": "1", "b": "2"},
        {"a": "1"},
    ]
