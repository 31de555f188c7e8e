"""The change feed: whatever happens to the log, the readers and the servers, a reader ends with what is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.columns import Columns, empty_arrays
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.changes import Changes, ChangeTracker
from recommender.feed import Cursor, CursorError, Mark, page
from recommender.removals import flat

PARTITIONS = 2
Slabs = Mapping[str, Mapping[str, int]]
"""Slab key to workload to changed_ms."""


def everyone(workload: str) -> bool:
    return True


def rows(content: Mapping[str, int]) -> Columns:
    arrays = empty_arrays(RECOMMENDATION_FIELDS, len(content))
    arrays["changed_ms"][:] = list(content.values())
    return Columns(RECOMMENDATION_FIELDS, list(content), arrays)


@dataclass
class Log:
    """A compacted stream: per partition, what stands under each key, at which offset. Tombstones are forgotten at once."""

    ends: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    kept: list[dict[str, tuple[int, dict[str, int]]]] = field(default_factory=lambda: [{} for _ in range(PARTITIONS)])

    def append(self, partition: int, key: str, content: dict[str, int]) -> int:
        offset = self.ends[partition]
        self.ends[partition] += 1
        self.kept[partition].pop(key, None)
        if content:
            self.kept[partition][key] = offset, dict(content)
        return offset


@dataclass
class Server:
    """One process that follows the log: from its beginning, then whenever `read` is called."""

    log: Log
    tracker: ChangeTracker = field(default_factory=ChangeTracker)
    read_to: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    holds: list[dict[str, dict[str, int]]] = field(default_factory=lambda: [{} for _ in range(PARTITIONS)])
    stream: list[tuple[int, int, str, dict[str, int]]] = field(default_factory=list)

    @classmethod
    def started(cls, log: Log) -> Server:
        """A fresh process reads what compaction has left."""
        server = cls(log)
        server.tracker.opened(dict(enumerate(log.ends)))
        for partition, kept in enumerate(log.kept):
            for key, (offset, content) in kept.items():
                server.take(partition, offset, key, content)
        server.tracker.caught_up()
        server.read_to = list(log.ends)
        return server

    def take(self, partition: int, offset: int, key: str, content: dict[str, int]) -> None:
        self.tracker.take(partition, key, offset, rows(content) if content else None)
        self.holds[partition].pop(key, None)
        if content:
            self.holds[partition][key] = content

    def state(self) -> dict[str, int]:
        return {name: at for part in self.holds for content in part.values() for name, at in content.items()}

    def changes(self) -> Changes:
        return self.tracker.freeze()


@dataclass
class Reader:
    """What a client holds, and its cursor as text."""

    cursor: str | None = None
    held: dict[str, int] = field(default_factory=dict)

    def ask(self, server: Server, limit: int) -> bool:
        """One request; whether it should ask again at once."""
        found = page(server.changes(), Cursor.parse(self.cursor) if self.cursor else None, limit, everyone)
        if found.reset:
            self.held.clear()
        for change in found.changes:
            if change.row is None:
                self.held.pop(change.workload, None)
            else:
                self.held[change.workload] = server.holds[change.partition][change.key][change.workload]
        self.cursor = str(found.cursor)
        return found.more

    def ask_all(self, server: Server, limit: int = 3) -> None:
        for _ in range(100):
            if not self.ask(server, limit):
                return
        raise AssertionError("the pages never end")


WORKLOADS = st.integers(0, 7).map(lambda n: f"w{n}")
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 1), st.integers(0, 2), st.sets(st.integers(0, 3))),
        st.tuples(st.just("read"), st.integers(0, 1)),
        st.tuples(st.just("restart"), st.integers(0, 1)),
        st.tuples(st.just("ask"), st.integers(0, 1), st.integers(1, 3)),
    ),
    max_size=40,
)


@settings(max_examples=400, deadline=None)
@given(EVENTS)
def test_a_reader_ends_with_what_stands(events: list[tuple[object, ...]]) -> None:
    """Slabs are written, grow, shrink and go; two servers read at their own pace and restart; one reader asks either of
    them, in pages as small as one change. Once a server has read all and the reader has asked it to the end, it holds
    exactly what stands: nothing is missing, nothing too old, nothing that is gone."""
    log, reader = Log(), Reader()
    servers = [Server.started(log), Server.started(log)]
    written: list[list[tuple[int, int, str, dict[str, int]]]] = [[], []]
    for clock, (kind, *what) in enumerate(events, 1):
        if kind == "write":
            partition, slab, members = what
            key = f"slab/{slab}"
            before = log.kept[partition].get(key, (0, {}))[1]
            names = sorted(f"p{partition}s{slab}w{n}" for n in members)
            content = {name: before[name] if name in before and clock % 2 else clock for name in names}
            offset = log.append(partition, key, content)
            for queue in written:
                queue.append((partition, offset, key, content))
        elif kind == "read":
            queue = written[what[0]]
            for record in queue:
                servers[what[0]].take(*record)
            queue.clear()
        elif kind == "restart":
            servers[what[0]] = Server.started(log)
            written[what[0]].clear()
        else:
            reader.ask(servers[what[0]], what[1])
    for server, queue in zip(servers, written, strict=True):
        for record in queue:
            server.take(*record)
        reader.ask_all(server)
        truth = {n: at for part in log.kept for _, content in part.values() for n, at in content.items()}
        assert server.state() == truth
        assert reader.held == truth


def test_only_rows_that_changed_are_told() -> None:
    """A slab of three of which one changed: one is told. An answer without a change moves the cursor and tells nothing."""
    server = Server.started(Log())
    reader = Reader()
    server.take(0, server.log.append(0, "slab/0", {}), "slab/0", {"a": 1, "b": 1, "c": 1})
    reader.ask_all(server, 10)
    server.take(0, 1, "slab/0", {"a": 1, "b": 2, "c": 1})
    cursor = Cursor.parse(reader.cursor or "")
    assert [change.workload for change in page(server.changes(), cursor, 10, everyone).changes] == ["b"]
    reader.ask_all(server, 10)
    server.take(0, 2, "slab/0", {"a": 1, "b": 2, "c": 1})
    found = page(server.changes(), Cursor.parse(reader.cursor or ""), 10, everyone)
    assert (list(found.changes), found.reset, found.more) == ([], False, False)
    assert found.cursor.marks[0] == Mark(3, 3, 3)


def test_a_workload_that_moves_to_another_slab_is_not_gone() -> None:
    """It comes in the new slab before it leaves the old one."""
    server = Server.started(Log())
    server.take(0, 0, "slab/0", {"a": 1, "b": 1})
    server.take(0, 1, "slab/1", {"a": 1})
    server.take(0, 2, "slab/0", {"b": 1})
    assert dict(flat(server.changes()[0].removed)) == {}
    server.take(0, 3, "slab/1", {})
    assert dict(flat(server.changes()[0].removed)) == {"a": 3}


def test_a_reader_is_told_only_of_what_it_may_see() -> None:
    """Neither rows nor removals of others."""
    server = Server.started(Log())
    server.take(0, 0, "slab/0", {"mine": 1, "other": 1})
    first = page(server.changes(), None, 10, lambda workload: workload == "mine")
    assert [change.workload for change in first.changes] == ["mine"]
    server.take(0, 1, "slab/0", {})
    after = page(server.changes(), first.cursor, 10, lambda workload: workload == "mine")
    assert [(change.workload, change.row) for change in after.changes] == [("mine", None)]


def test_removals_beyond_the_bound_make_old_readers_begin_anew() -> None:
    """Of four that went one after another two are remembered: who was there before is told to forget all."""
    server = Server(Log(), ChangeTracker(most_removed=2))
    server.tracker.opened({0: 0, 1: 0})
    server.take(0, 0, "slab/0", dict.fromkeys("abcd", 1))
    early = page(server.changes(), None, 10, everyone).cursor
    for offset, left in enumerate(("bcd", "cd", "d", ""), 1):
        server.take(0, offset, "slab/0", dict.fromkeys(left, 1))
        if left == "cd":
            late = page(server.changes(), early, 10, everyone).cursor
    assert page(server.changes(), early, 10, everyone).reset
    found = page(server.changes(), late, 10, everyone)
    assert (found.reset, [change.workload for change in found.changes]) == (False, ["c", "d"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "!!!!",
        "e30",
        "WzIsW11d",
        "WzEsW1stMV1dXQ",
        "WzEsW1szLDEsMV1dXQ",
        "WzEsW1tdXV0",
        "WzEsWzFdXQ",
        "WzEsW1s5MjIzMzcyMDM2ODU0Nzc1ODA4XV1d",
        "A" * 100_000,
        "é",
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    """Not base64, not ours, another version, offsets below 0 or out of order, or too long."""
    with pytest.raises(CursorError):
        Cursor.parse(text)


@given(st.lists(st.tuples(*[st.integers(0, 2**62)] * 3), max_size=20))
def test_a_cursor_survives_as_text(offsets: list[tuple[int, int, int]]) -> None:
    """Written and read, and safe in a URL and a header."""
    cursor = Cursor(tuple(Mark(min(a, b), max(a, b), c) for a, b, c in offsets))
    assert Cursor.parse(str(cursor)) == cursor
    assert all(character.isalnum() or character in "-_" for character in str(cursor))


def test_a_server_that_is_behind_tells_nothing_and_takes_nothing_back() -> None:
    """Another process has read to offset 2: the one that has read the first message alone leaves the cursor as it is."""
    log = Log()
    ahead, behind = Server.started(log), Server.started(log)
    for offset, at_ms in enumerate((1, 2)):
        ahead.take(0, offset, "slab/0", {"a": at_ms})
    behind.take(0, 0, "slab/0", {"a": 1})
    cursor = page(ahead.changes(), None, 10, everyone).cursor
    found = page(behind.changes(), cursor, 10, everyone)
    assert (list(found.changes), found.cursor, found.reset, found.more) == ([], cursor, False, False)
