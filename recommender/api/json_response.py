"""JSON bodies."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
from fastapi.responses import JSONResponse  # noqa: TID251 - this package is fastapi's one home


class Json(JSONResponse):
    """A body by orjson: dataclasses and numbers as they are, 10 times the speed of the standard library."""

    def render(self, content: Any) -> bytes:
        return encoded(content)


def encoded(content: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """What orjson refuses may be what somebody sent and is told of: a number over 64 bits, half a character (`\\ud800`). The
    standard library writes both. `default` is for values that have no form in JSON."""
    try:
        return orjson.dumps(content, default=default, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return json.dumps(content, default=default).encode()
