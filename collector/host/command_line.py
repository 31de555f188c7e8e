"""A command line as the inventory may tell it: one line, cut, and without what looks like a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from models.inventory import COMMAND_CHARACTERS

_SECRET = re.compile(r"passw|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key|auth", re.I)
_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")
_HIDDEN = "***"


def command_line(arguments: Sequence[str]) -> str:
    """Words joined by spaces, at most COMMAND_CHARACTERS. The value of an option, or of a variable that is set, whose name
    speaks of a secret becomes `***`, and so does what stands before the @ of an address."""
    return " ".join(" ".join(_told(arguments)).split())[:COMMAND_CHARACTERS]


def _told(arguments: Sequence[str]) -> Iterator[str]:
    hide_next = False
    for word in arguments:
        name, equals, value = word.partition("=")
        secret = bool(_SECRET.search(name)) and len(name) < 64 and (equals or name.startswith("-"))
        if hide_next and not word.startswith("-"):
            yield _HIDDEN
        elif secret and equals and value:
            yield f"{name}={_HIDDEN}"
        else:
            yield _IN_URL.sub(f"{_HIDDEN}@", word)
        hide_next = bool(secret and not equals)
