"""A fuse kills its own process with SIGKILL after a number of steps of one part of the code.

A step is a call or a return, of Python or of C, seen from a line of that part: just before and just after each
statement of SQL, each fsync, each message that is sent. Time alone would hardly ever hit those.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType

_ROOT = f"{Path(__file__).parents[2]}{os.sep}"


@dataclass(frozen=True, slots=True)
class Fuse:
    """`part` is a path under the checkout, or its beginning (`stream/sqlite_log/`, `collector/outbox.py`), and `function`
    one function in it; empty: all of them."""

    part: str
    function: str
    steps: int

    def light(self) -> None:
        """From now on this thread, and every thread that starts later, burns it down."""
        left, inside, begin = self.steps, dict[CodeType, bool](), _ROOT + self.part

        def step(frame: FrameType, event: str, argument: object) -> None:
            nonlocal left
            code = frame.f_code
            if code not in inside:
                inside[code] = code.co_filename.startswith(begin) and self.function in ("", code.co_name)
            if inside[code]:
                left -= 1
                if left <= 0:
                    _blow(
                        f"{code.co_filename.removeprefix(_ROOT)}:{frame.f_lineno} {code.co_name} {event} {argument!r:.60}"
                    )

        threading.setprofile(step)
        sys.setprofile(step)


def _blow(where: str) -> None:
    """Say where on standard error, which is the role's file, and die."""
    os.write(2, f"{BLOWN}{where}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


BLOWN = "fuse: killed at "
