"""/metrics as text or gzip, whichever the scraper takes."""

from __future__ import annotations

import gzip

import pytest

from recommender.api.scrape import scraped

PLAIN, KIND = b"up 1\nfleet 2\n", "text/plain; version=1.0.0"


def packed() -> tuple[bytes, str]:
    """Two members, as the process's own metrics and the fleet's are packed apart."""
    return gzip.compress(b"up 1\n") + gzip.compress(b"fleet 2\n"), KIND


@pytest.mark.parametrize(
    ("accepts", "zipped"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip; q=0", False),
        ("gzip;q=0.000, *", False),
    ],
)
def test_the_form_is_what_the_scraper_takes(accepts: str, zipped: bool) -> None:
    """Both say the same, and a cache between is told that they differ."""
    answer = scraped(accepts, lambda: (PLAIN, KIND), packed)
    assert ("content-encoding" in answer.headers) == zipped
    body = bytes(answer.body)
    assert (gzip.decompress(body) if zipped else body) == PLAIN
    assert answer.headers["content-type"].startswith("text/plain; version=1.0.0")
    assert answer.headers["vary"] == "Accept-Encoding"


def test_without_a_packed_form_there_is_text() -> None:
    assert scraped("gzip", lambda: (PLAIN, KIND), None).body == PLAIN
