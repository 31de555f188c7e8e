"""The change feed of a tenant: nothing is left out, and nothing of others is in it, not even in the cursor."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.recommendation import RECOMMENDATION_FIELDS
from recommender.access.own_feed import OwnCursor, OwnFeed
from recommender.access.scope import Scope
from recommender.access.seal import Sealer, SealError
from recommender.changes import ChangeTracker
from recommender.view import Snapshot, join
from tests.recommender.view_columns import columns, profiles, slab

SEALER = Sealer(bytes(range(32)))
SCOPE = Scope.of(["read"], ["prod/shop"])
OURS = [f"prod/shop/Job/{n}/x" for n in range(6)]
THEIRS = [f"prod/bank/Job/{n}/x" for n in range(6)]


class Log:
    """The recommendations stream of two partitions with one slab each, as a view follows it."""

    def __init__(self) -> None:
        self.tracker, self.offset = ChangeTracker(), 0
        self.held: dict[int, dict[str, int]] = {0: {}, 1: {}}
        self.tracker.opened({0: 0, 1: 0})

    def write(self, partition: int, rows: Mapping[str, int]) -> None:
        """The slab of a partition, with the time at which each row last changed."""
        self.held[partition] = dict(rows)
        self.offset += 1
        made = columns(RECOMMENDATION_FIELDS, list(rows), changed_ms=np.array(list(rows.values()), dtype=np.int64))
        self.tracker.take(partition, "slab/0", self.offset, made)

    def change(self, workload: str, at_ms: int) -> None:
        """A new recommendation; at_ms 0: the workload is forgotten."""
        partition = int(workload.split("/")[3]) % 2
        rows = {**self.held[partition], workload: at_ms}
        self.write(partition, {name: at for name, at in rows.items() if at})

    def snapshot(self) -> Snapshot:
        slabs = {(p, "slab/0"): slab(list(rows)) for p, rows in self.held.items() if rows}
        return Snapshot(slabs, changes=self.tracker.freeze())


def read(feed: OwnFeed, snapshot: Snapshot, cursor: str, limit: int) -> tuple[list[tuple[str, bool]], str, bool, bool]:
    """One page by a reader that holds a text: (workload, whether it is there), cursor, reset, more."""
    found = feed.page(snapshot, feed.cursor(cursor) if cursor else None, limit)
    return [(c.workload, c.row is not None) for c in found.changes], str(found.cursor), found.reset, found.more


def test_who_is_gone_is_told_though_its_profile_is_still_there() -> None:
    """Profiles and recommendations are streams apart: that the profile went too may be read a moment later."""
    log, feed = Log(), OwnFeed(SCOPE, SEALER)
    log.change(OURS[0], 5)
    _, cursor, _, _ = read(feed, log.snapshot(), "", 10)
    log.change(OURS[0], 0)
    late = Snapshot({(0, "slab/0"): join(profiles([OURS[0]]), None, None)}, changes=log.tracker.freeze())
    assert read(feed, late, cursor, 10)[0] == [(OURS[0], False)]


steps = st.lists(st.tuples(st.sampled_from(OURS + THEIRS), st.booleans(), st.booleans()), max_size=40)


@given(steps=steps, limit=st.integers(1, 4))
def test_a_reader_that_goes_on_where_it_was_ends_up_with_what_is_there(steps: Any, limit: int) -> None:
    """Workloads come, change and go; the reader asks now and then, in the midst of a sweep too. In the end it holds the own
    workloads that are there with their newest change, and has never heard of another."""
    log, feed, cursor = Log(), OwnFeed(SCOPE, SEALER), ""
    holds: dict[str, int] = {}
    at: dict[str, int] = {}

    def take() -> bool:
        nonlocal cursor
        told, cursor, reset, more = read(feed, log.snapshot(), cursor, limit)
        if reset:
            holds.clear()
        for workload, there in told:
            assert workload in OURS
            holds.pop(workload, None)
            if there:
                holds[workload] = at[workload]
        return more

    for now_ms, (workload, goes, asks) in enumerate(steps, 1):
        at[workload] = 0 if goes else now_ms
        log.change(workload, at[workload])
        if asks:
            take()
    while take():
        pass
    take()
    assert holds == {workload: when for workload, when in at.items() if when and workload in OURS}


@given(others=st.lists(st.sampled_from(THEIRS), min_size=1, max_size=20))
def test_what_others_do_is_neither_told_nor_counted(others: list[str]) -> None:
    """Others change once or twenty times: an empty page, and a cursor of the same length that is never the same text."""
    log, feed = Log(), OwnFeed(SCOPE, SEALER)
    log.change(OURS[0], 1)
    log.change(OURS[1], 1)
    told, cursor, reset, more = read(feed, log.snapshot(), "", 500)
    assert (told, reset, more) == ([(OURS[0], True), (OURS[1], True)], True, False)
    for now_ms, workload in enumerate(others, 2):
        log.change(workload, now_ms)
    told, later, reset, more = read(feed, log.snapshot(), cursor, 500)
    assert (told, reset, more, len(later)) == ([], False, False, len(cursor))
    assert later != cursor
    log.change(OURS[1], 99)
    assert read(feed, log.snapshot(), later, 500)[0] == [(OURS[1], True)]


class Unread(dict[str, int]):
    """Removals that nobody may look at."""

    def __reversed__(self) -> Any:
        raise AssertionError("others' removals were looked at, which takes a time that tells how many there are")

    __iter__ = items = keys = values = __reversed__


def test_who_of_others_is_gone_is_not_even_looked_at() -> None:
    """One of ours is told; the many of the bank are in an index of their own."""
    log, feed = Log(), OwnFeed(SCOPE, SEALER)
    log.write(0, {OURS[0]: 1, THEIRS[0]: 1})
    _, cursor, _, _ = read(feed, log.snapshot(), "", 9)
    log.write(0, {})
    snapshot = log.snapshot()
    part = snapshot.changes[0]
    removed = {"prod": {"shop": part.removed["prod"]["shop"], "bank": Unread(part.removed["prod"]["bank"])}}
    seen = replace(snapshot, changes={**snapshot.changes, 0: replace(part, removed=removed)})
    assert read(feed, seen, cursor, 9)[0] == [(OURS[0], False)]


def test_a_server_that_is_behind_tells_nothing_yet() -> None:
    """Another replica read further: this one repeats the place, so that nothing is skipped when it has caught up."""
    behind, ahead, feed = Log(), Log(), OwnFeed(SCOPE, SEALER)
    for log in (behind, ahead):
        log.change(OURS[0], 1)
        log.change(OURS[1], 1)
    ahead.change(OURS[2], 2)
    _, cursor, _, _ = read(feed, ahead.snapshot(), "", 500)
    told, cursor, reset, more = read(feed, behind.snapshot(), cursor, 500)
    assert (told, reset, more) == ([], False, False)
    behind.change(OURS[2], 2)
    behind.change(OURS[0], 3)
    assert read(feed, behind.snapshot(), cursor, 500)[0] == [(OURS[0], True)]


def test_a_cursor_of_another_tenant_or_key_begins_anew() -> None:
    """It is not told whose it was; what it says of the log is not used."""
    log, feed = Log(), OwnFeed(SCOPE, SEALER)
    log.change(OURS[0], 1)
    _, cursor, _, _ = read(feed, log.snapshot(), "", 500)
    others = (OwnFeed(Scope.of(["read"], ["prod/bank"]), SEALER), OwnFeed(SCOPE, Sealer(bytes(32))))
    assert [other.cursor(cursor) for other in others] == [None, None]
    assert feed.cursor(cursor[:-3]) is None
    assert isinstance(feed.cursor(cursor), OwnCursor)


@given(st.binary(max_size=600), st.text(max_size=9))
def test_what_is_sealed_comes_back_to_who_has_the_key(contents: bytes, purpose: str) -> None:
    """Whole blocks of 256 bytes and no trace of the contents; any other text, purpose or key is refused."""
    contents = contents.rstrip(b" ") or b"x"
    text = SEALER.seal(contents, purpose)
    assert SEALER.open(text, purpose) == contents
    assert SEALER.seal(contents, purpose) != text
    sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert (len(sealed) - 12 - 16) % 256 == 0
    for other, word in ((SEALER, purpose + "x"), (Sealer(bytes(32)), purpose)):
        with pytest.raises(SealError):
            other.open(text, word)


@given(st.text())
def test_no_text_breaks_the_seal(text: str) -> None:
    with pytest.raises(SealError):
        SEALER.open(text, "feed")
