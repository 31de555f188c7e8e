"""What is loaded is left out of collections of cycles, and freed all the same."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from sizewise.cycles import settle, settle_when


class Loaded:
    """Something that a view holds."""


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_frozen_is_freed_when_nothing_refers_to_it() -> None:
    """It is in no generation any more, and goes with its last reference."""
    held = Loaded()
    gone = weakref.ref(held)
    settle()
    assert not any(found is held for found in gc.get_objects())
    del held
    assert gone() is None


def test_garbage_is_collected_before_the_rest_is_frozen() -> None:
    """A cycle that nobody holds would otherwise stay for ever."""
    one, other = Loaded(), Loaded()
    one.other, other.other = other, one  # type: ignore[attr-defined]
    gone = weakref.ref(one)
    del one, other
    settle()
    assert gone() is None


def test_nothing_is_frozen_before_all_is_loaded() -> None:
    """Asked three times, settled after the third; told to stop, it ends."""
    stop, asked, frozen = threading.Event(), list[int](), list[int]()

    def loaded() -> bool:
        asked.append(gc.get_freeze_count())
        return len(asked) == 3

    def look() -> None:
        settle_when(loaded, stop)
        frozen.append(gc.get_freeze_count())

    before = gc.get_freeze_count()
    thread = threading.Thread(target=look)
    thread.start()
    while len(asked) < 3:
        stop.wait(0.05)
    while gc.get_freeze_count() == before:
        stop.wait(0.05)
    stop.set()
    thread.join()
    assert asked == [before] * 3
    assert frozen[0] > before
