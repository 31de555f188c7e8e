"""The answer of /metrics: as text, or as gzip for a scraper that takes it, as Prometheus does."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Response  # noqa: TID251 - the API is fastapi's one home

Exposed = Callable[[], tuple[bytes, str]]
"""A body, and its content type."""


def scraped(accept_encoding: str, plain: Exposed, packed: Exposed | None) -> Response:
    """`packed` gives the same as gzip; None: there is only text."""
    if packed is not None and _takes_gzip(accept_encoding):
        (body, content_type), headers = packed(), {"Content-Encoding": "gzip"}
    else:
        (body, content_type), headers = plain(), {}
    return Response(body, media_type=content_type, headers=headers | {"Vary": "Accept-Encoding"})


def _takes_gzip(accept_encoding: str) -> bool:
    """RFC 9110, 12.5.3: named, and not with a weight of nothing."""
    for part in accept_encoding.lower().split(","):
        coding, *weights = part.replace(" ", "").split(";")
        if coding in ("gzip", "*"):
            return not any(weight in ("q=0", "q=0.0", "q=0.00", "q=0.000") for weight in weights)
    return False
