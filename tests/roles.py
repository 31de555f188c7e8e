"""Roles in threads of a test, and waiting for what they do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DEADLINE_S = 60.0
"""Only there to end a test that fails."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for did not come"
        time.sleep(0.01)


@contextmanager
def running(*roles: Callable[[threading.Event], None]) -> Iterator[None]:
    """Each in a thread of its own until the block ends; what one dies of fails the test."""
    stop, failures = threading.Event(), []

    def run(role: Callable[[threading.Event], None]) -> None:
        try:
            role(stop)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(role,)) for role in roles]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(DEADLINE_S)
    assert failures == []
    assert not any(thread.is_alive() for thread in threads)
