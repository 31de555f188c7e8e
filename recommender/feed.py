"""What a reader of the change feed is told next, and the cursor that says where it is then.

A cursor holds three offsets of each partition. `base`: the reader has every slab as of all messages before it. `at`: of what
changed since, it was told what stands in messages before this one. `sure`: what it holds may include workloads that were
removed at or after it. Between two answers `base` = `at` = `sure`; while an answer is cut into pages they differ.
A reader whose cursor is from before what this process knows of removals is told to begin anew: `reset`.

Delivery is at least once. Nothing that changed is left out, whichever process is asked, and in which order; what changed
twice in a row is told once, as it is now; after a restart, or a fault of the reader's, the same may be told again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from recommender.changes import Changes, PartitionChanges, SlabChanges
from recommender.removals import flat

_VERSION = 1
_LONGEST = 64 * 1024
"""Characters of a cursor: 1,000 partitions in the midst of a page take 40 KB."""


_FARTHEST = 2**62
_DECODER = msgspec.json.Decoder(tuple[int, list[list[int]]])


class CursorError(ValueError):
    """A text that is no cursor."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a reader is in one partition."""

    base: int
    at: int
    sure: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """marks: of partitions 0, 1, ... An opaque text for clients."""

    marks: tuple[Mark, ...]

    def __str__(self) -> str:
        marks = [[m.base] if m.base == m.at == m.sure else [m.base, m.at, m.sure] for m in self.marks]
        return base64.urlsafe_b64encode(msgspec.json.encode([_VERSION, marks])).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Raises CursorError."""
        try:
            if len(text) > _LONGEST:
                raise CursorError("it is too long")
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            version, marks = _DECODER.decode(packed)
            if version != _VERSION:
                raise CursorError(f"it is of version {version}")
            return cls(tuple(_mark(mark) for mark in marks))
        except (ValueError, binascii.Error, msgspec.MsgspecError, RecursionError) as error:
            raise CursorError(f"it is no cursor: {error}") from error


@dataclass(frozen=True, slots=True)
class Change:
    """partition, key: of the slab. row: in it; None: the workload is gone."""

    workload: str
    partition: int
    key: str = ""
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """reset: forget all that was told before, then take `changes`. more: ask again at once, there may be more."""

    changes: Sequence[Change]
    cursor: Cursor
    reset: bool
    more: bool


def page(changes: Changes, cursor: Cursor | None, limit: int, seen: Callable[[str], bool]) -> Page:
    """At most `limit` changes, and at most a slab of 256 over it. seen: whether the reader may know of a workload."""
    reset = cursor is None or not _follows(cursor, changes)
    begin = tuple(Mark(0, 0, part.end) for _, part in sorted(changes.items()))
    marks = list(begin if reset or cursor is None else cursor.marks)
    told: list[Change] = []
    for partition, mark in enumerate(marks):
        marks[partition] = _sweep(changes[partition], partition, mark, limit, seen, told)
    return Page(told, Cursor(tuple(marks)), reset, len(told) >= limit)


def _follows(cursor: Cursor, changes: Changes) -> bool:
    """Whether all that was removed since the cursor is known here."""
    return len(cursor.marks) == len(changes) and all(
        mark.sure >= changes[partition].sure for partition, mark in enumerate(cursor.marks)
    )


def _sweep(
    part: PartitionChanges, partition: int, mark: Mark, limit: int, seen: Callable[[str], bool], told: list[Change]
) -> Mark:
    """Add what is to be told of this partition to `told`; where the reader is then.

    A process that is behind the cursor, as another has read further, tells nothing until it has caught up.
    """
    if part.end < mark.sure:
        return mark
    at = mark.at
    for offset, found in _since(part, mark):
        if len(told) >= limit and offset >= at:  # what one message changed is told together
            return Mark(mark.base, at, max(mark.sure, at))
        told.extend(_told(found, partition, mark.base, seen))
        at = offset + 1
    return Mark(part.end, part.end, part.end)


_Found = tuple[str, SlabChanges | None]
"""Key and slab; or a workload that is gone, and None."""


def _since(part: PartitionChanges, mark: Mark) -> Iterator[tuple[int, _Found]]:
    """Slabs and removals that are still to be told, in order of their offsets."""
    slabs: list[tuple[int, _Found]] = [(s.offset, (key, s)) for key, s in part.slabs.items() if s.offset >= mark.at]
    since = max(mark.at, mark.sure)
    gone: list[tuple[int, _Found]] = [(at, (name, None)) for name, at in flat(part.removed) if at >= since]
    yield from sorted([*gone, *slabs], key=lambda item: item[0])


def _told(found: _Found, partition: int, base: int, seen: Callable[[str], bool]) -> Iterator[Change]:
    key, slab = found
    if slab is None:
        if seen(key):
            yield Change(key, partition)
        return
    for row in np.flatnonzero(slab.changed >= base).tolist():
        if seen(slab.ids[row]):
            yield Change(slab.ids[row], partition, key, row)


def _mark(packed: Sequence[int]) -> Mark:
    """One offset stands for three that are the same."""
    if len(packed) not in (1, 3):
        raise CursorError("a partition has one offset or three")
    base, at, sure = packed if len(packed) == 3 else (packed[0],) * 3
    if not 0 <= base <= at <= _FARTHEST or not 0 <= sure <= _FARTHEST:
        raise CursorError("its offsets are out of order")
    return Mark(base, at, sure)
