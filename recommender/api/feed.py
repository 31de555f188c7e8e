"""The change feed over a view: pages as bodies, and waiting for the next one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from recommender.access.own_feed import OwnCursor, OwnFeed, OwnPage
from recommender.api.render import Body, sizings, time_text
from recommender.feed import Change, Cursor, CursorError, Page, page
from recommender.recommendation_id import recommendation_id
from recommender.view import Row, Snapshot, View
from recommender.view_query import QueryError

POLL_S = 0.1
"""How often a waiting reader looks whether there is another snapshot; one comes four times a second at most."""


@dataclass(frozen=True, slots=True)
class Told:
    """A page with the bodies of its changes, which are of the same snapshot."""

    page: Page | OwnPage
    bodies: list[Body]

    @property
    def body(self) -> Body:
        """Of a ChangePage."""
        found = self.page
        return {"reset": found.reset, "changes": self.bodies, "more": found.more, "cursor": str(found.cursor)}

    @property
    def news(self) -> bool:
        return bool(self.bodies) or self.page.reset


def own_told(feed: OwnFeed, snapshot: Snapshot, cursor: OwnCursor | None, limit: int) -> Told:
    """The same of a tenant's own workloads, with a cursor that tells nothing of others."""
    found = feed.page(snapshot, cursor, limit)
    return Told(found, [_body(snapshot, change) for change in found.changes])


def cursor_of(text: str | None, field: str = "since") -> Cursor | None:
    """Raises QueryError for what is no cursor."""
    if not text:
        return None
    try:
        return Cursor.parse(text)
    except CursorError as error:
        raise QueryError(field, text[:100], f"{error}; leave it out to begin anew") from error


def told(snapshot: Snapshot, cursor: Cursor | None, limit: int) -> Told:
    """What comes after the cursor. 30 microseconds a change."""
    found = page(snapshot.changes, cursor, limit, lambda workload: True)
    return Told(found, [_body(snapshot, change) for change in found.changes])


async def waited(
    view: View,
    cursor: AnyCursor | None,
    wait_s: float,
    work: Work,
    now: Callable[[], float],
    sleep: Sleep,
    holds: Callable[[], bool] = lambda: True,
) -> Told:
    """The first page with news, or the page as it is when the time to wait is over, the view ends or `holds` does not: the
    reader may see no more."""
    deadline, seen = now() + wait_s, None
    while True:
        snapshot = view.snapshot
        if snapshot is not seen:
            seen, found = snapshot, await work(snapshot, cursor)
            cursor = found.page.cursor
            if found.news:
                return found
        if view.ended or now() >= deadline or not holds():
            return found
        await sleep(POLL_S)


AnyCursor = Cursor | OwnCursor
Work = Callable[[Snapshot, AnyCursor | None], Awaitable[Told]]
"""`told` off the event loop."""
Sleep = Callable[[float], Awaitable[None]]


def _body(snapshot: Snapshot, change: Change) -> Body:
    if change.row is None:
        return {"kind": "removed", "workload": change.workload}
    slab = snapshot.slabs[change.partition, change.key]
    row = Row(slab, slab.row_of[change.workload])
    computed_ms = int(row["computed_ms"])
    return {
        "kind": "set",
        "workload": row.id,
        "id": recommendation_id(row.id, computed_ms),
        "computed": time_text(computed_ms),
        "changed": time_text(row["changed_ms"]),
        "confidence_ratio": round(float(row["confidence"]), 4),
        **sizings(row),
    }
