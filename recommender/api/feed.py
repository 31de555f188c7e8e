"""The change feed over a view: pages as bodies, and waiting for the next one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from recommender.access.scope import Scope
from recommender.api.feed_answers import FeedQuery
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

    page: Page
    bodies: list[Body]

    @property
    def body(self) -> Body:
        """Of a ChangePage."""
        found = self.page
        return {"reset": found.reset, "changes": self.bodies, "more": found.more, "cursor": str(found.cursor)}

    @property
    def news(self) -> bool:
        return bool(self.bodies) or self.page.reset


def cursor_of(text: str | None, field: str = "since") -> Cursor | None:
    """Raises QueryError for what is no cursor."""
    if not text:
        return None
    try:
        return Cursor.parse(text)
    except CursorError as error:
        raise QueryError(field, text[:100], f"{error}; leave it out to begin anew") from error


def told(snapshot: Snapshot, scope: Scope, cursor: Cursor | None, limit: int) -> Told:
    """What comes after the cursor, as far as `scope` sees it. 30 microseconds a change."""
    found = page(snapshot.changes, cursor, limit, _sees(scope))
    return Told(found, [_body(snapshot, change) for change in found.changes])


async def waited(
    view: View, query: FeedQuery, longest_s: float, work: Work, now: Callable[[], float], sleep: Sleep
) -> Told:
    """The first page with news, or the page as it is when the time to wait is over or the view ends."""
    deadline, cursor, seen = now() + min(query.wait, longest_s), cursor_of(query.since), None
    while True:
        snapshot = view.snapshot
        if snapshot is not seen:
            seen, found = snapshot, await work(snapshot, cursor)
            cursor = found.page.cursor
            if found.news:
                return found
        if view.ended or now() >= deadline:
            return found
        await sleep(POLL_S)


Work = Callable[[Snapshot, Cursor | None], Awaitable[Told]]
"""`told` off the event loop."""
Sleep = Callable[[float], Awaitable[None]]


def _sees(scope: Scope) -> Callable[[str], bool]:
    return (lambda workload: True) if scope.everywhere else scope.sees_workload


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
