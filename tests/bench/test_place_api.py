"""The bench of placement by the API: every question is answered and timed."""

from __future__ import annotations

import pytest

from bench import place_api


def test_every_question_is_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small inventory; the figures are of the rows that they name."""
    for name, small in (("NODES", 20), ("PACKED_GPUS", 8), ("QUESTIONS", 2), ("REPORTING", 3)):
        monkeypatch.setattr(place_api, name, small)
    report = place_api.run(None)
    asked = [row["question"] for row in report.rows]
    assert asked[: len(place_api.QUESTIONS_ASKED)] == list(place_api.QUESTIONS_ASKED)
    assert len(report.rows) == len(place_api.QUESTIONS_ASKED) + 4
    assert report.figures["place_api_p99_ms"] == report.rows[0]["cpu p99 ms"]
    assert min(report.figures.values()) > 0
