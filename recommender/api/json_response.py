"""JSON bodies."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Response  # noqa: TID251 - this package is fastapi's one home


class Json(Response):
    """A body by orjson: dataclasses and numbers as they are, 10 times the speed of the standard library."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)
