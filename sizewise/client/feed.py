"""The change feed as events: what to do to hold what the server holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from sizewise.client.answers import Answer, CpuSizing, MemorySizing
from sizewise.client.transport import decoded


class Event(Answer, frozen=True, kw_only=True):
    """cursor: store it, and `changes(since=cursor)` goes on after this event. None amid events that belong together."""

    cursor: str | None = None


class Reset(Event, frozen=True, kw_only=True):
    """Forget everything that was told before."""


class Changed(Event, frozen=True, kw_only=True, tag_field="kind", tag="set"):
    """A new target, limit, action or reason of a workload. `id` is the recommendation's."""

    workload: str
    id: str
    cpu: CpuSizing
    memory: MemorySizing
    confidence_ratio: float | None = None
    computed: str | None = None
    changed: str | None = None


class Removed(Event, frozen=True, kw_only=True, tag_field="kind", tag="removed"):
    """Nothing is recommended for it any more."""

    workload: str


class _Page(Answer, frozen=True, kw_only=True):
    reset: bool
    changes: list[Changed | Removed]
    more: bool
    cursor: str


_PAGE = msgspec.json.Decoder(_Page)


def events(ask: Callable[[str | None, bool], bytes], since: str | None) -> Iterator[Event]:
    """Without end. `ask(cursor, wait)` gets a page, waiting for news where `wait` says so."""
    more = since is None
    while True:
        page = decoded(ask(since, not more), _PAGE)
        since, more = page.cursor, page.more
        found: list[Event] = [*([Reset()] if page.reset else []), *page.changes]
        yield from found[:-1]
        if found:
            yield msgspec.structs.replace(found[-1], cursor=page.cursor)
