"""Python's collector of reference cycles, kept from walking through what a server has loaded for good.

A full collection over 1,500 nodes and what they hold stops every thread for 100 ms, once in some 150 questions. What is
frozen is left out of it, and is still freed when nothing refers to it any more.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

_LOOK_S = 0.5
_ANEW_S = 3600.0
"""What came since is frozen too once an hour; until then it is little beside the whole."""


def settle() -> None:
    """Collect what is garbage now, and leave all that is alive out of later collections."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def settle_when(loaded: Callable[[], bool], stop: threading.Event) -> None:
    """Settle as soon as `loaded` says so, and again from time to time, until `stop`."""
    while not loaded():
        if stop.wait(_LOOK_S):
            return
    settle()
    while not stop.wait(_ANEW_S):
        settle()
