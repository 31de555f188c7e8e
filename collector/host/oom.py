"""OOM kills of cgroups that are gone: their parent remembers.

In cgroup v2 memory.events counts the kills of everything below, and a pod's cgroup outlives its containers. In v1
memory.oom_control counts a cgroup's own kills only, so a container that was killed as a whole takes its count along.
"""

from __future__ import annotations

from collector.host import parse
from collector.host.files import read_if_there
from collector.host.layout import Layout


class ParentOoms:
    """Kills that parents have seen and no child has shown. For parents that hold their children only: pods and jobs."""

    def __init__(self, layout: Layout) -> None:
        self._root = layout.trees.get("unified") if layout.unified else None
        self._explained: dict[str, int] = {}

    def watch(self, path: str) -> None:
        """A child appeared: what its parent has seen up to its first child is history."""
        parent = path.rpartition("/")[0]
        if parent not in self._explained and (count := self._count(parent)) is not None:
            self._explained[parent] = count

    def unexplained(self, path: str, shown: int, shown_by_others: int) -> int:
        """Kills in the cgroup at `path`, which is gone, that it did not show itself.

        shown:           kills it showed since it was first read
        shown_by_others: the same of its siblings that live, all together
        """
        parent = path.rpartition("/")[0]
        count, explained = self._count(parent), self._explained.get(parent)
        if count is None or explained is None:
            self._explained.pop(parent, None)
            return 0
        new = max(count - explained - shown - shown_by_others, 0)
        self._explained[parent] = explained + shown + new
        return new

    def _count(self, parent: str) -> int | None:
        if self._root is None or not parent:
            return None
        return parse.field(read_if_there(f"{self._root}{parent}/memory.events") or b"", b"\noom_kill ")
