"""What became of a request that was changed as recommended: told by telemetry and events while it is watched."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

Result = Literal["hurt", "fine", "wasteful"]


class Outcome(IntEnum):
    """Of the newest change of one request. Never renumber: old recommendations stay readable."""

    NONE = 0  # no change was seen, or it followed no recommendation
    WATCHED = 1
    FINE = 2
    OOM_KILLED = 3
    THROTTLED = 4
    EVICTED = 5
    WASTEFUL = 6  # nothing happened, and it is still above what policy calls waste

    @property
    def cause(self) -> str:
        """In kebab-case, as events write it."""
        return self.name.lower().replace("_", "-")


RESULTS: dict[Outcome, Result] = {
    Outcome.FINE: "fine",
    Outcome.OOM_KILLED: "hurt",
    Outcome.THROTTLED: "hurt",
    Outcome.EVICTED: "hurt",
    Outcome.WASTEFUL: "wasteful",
}
"""The outcomes at which watching ends."""
