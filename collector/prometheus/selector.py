"""Series selectors of PromQL: written, and read as the matchers that remote read asks with."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

_TYPES = {"=": 0, "!=": 1, "=~": 2, "!~": 3}
_SELECTOR = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*\{(.*)\}\s*", re.DOTALL)
_MATCHER = re.compile(
    r"""\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)\s*(,|$)"""
)


@dataclass(frozen=True, slots=True)
class Matcher:
    """type: of prompb.LabelMatcher: 0 equal, 1 not equal, 2 regular expression, 3 none of one"""

    type: int
    name: str
    value: str


def braced(name: str, *matchers: str) -> str:
    """A selector of the metric with those of the matchers that are not empty."""
    return f"{name}{{{','.join(filter(None, matchers))}}}"


def matchers_of(selector: str) -> tuple[Matcher, ...] | None:
    """None: it is more than a plain selector, and the server must read it itself."""
    whole = _SELECTOR.fullmatch(selector)
    if whole is None:
        return None
    found = [Matcher(0, "__name__", whole[1])] if whole[1] else []
    rest = whole[2].strip()
    while rest:
        one = _MATCHER.match(rest)
        value = None if one is None else _text(one[3])
        if one is None or value is None:
            return None
        found.append(Matcher(_TYPES[one[2]], one[1], value))
        rest = rest[one.end() :].strip()
    return tuple(found)


def _text(literal: str) -> str | None:
    if literal.startswith("`"):
        return literal[1:-1]
    try:
        return str(ast.literal_eval(literal))  # PromQL's escapes are Go's, of which Python's are a superset
    except (SyntaxError, ValueError):
        return None
