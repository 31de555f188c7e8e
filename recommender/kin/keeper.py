"""The newest index over a view, for requests: a thread makes it anew, and nobody waits for it but the first."""

from __future__ import annotations

import threading

from recommender.kin.index import KinIndex
from recommender.kin.words_kept import Words
from recommender.view import Snapshot, View

_AT_ONCE = 2000
"""Workloads up to which an index is made when it is asked for, in under 50 ms."""


class KinKeeper:
    """Shared by all requests. Kin change little within a minute, so an answer may rest on a snapshot before the newest."""

    def __init__(self, view: View) -> None:
        self._view, self._words, self._lock = view, Words(), threading.Lock()
        self._made: tuple[Snapshot, KinIndex] | None = None

    @property
    def index(self) -> KinIndex:
        """Of the newest snapshot while it is small; of one that `refresh` came to while it is large."""
        made, snapshot = self._made, self._view.snapshot
        if made is None or (made[0] is not snapshot and len(snapshot) <= _AT_ONCE):
            return self.refresh()
        return made[1]

    def refresh(self) -> KinIndex:
        """Make the index of the newest snapshot, unless that is the one that is there."""
        with self._lock:
            snapshot = self._view.snapshot
            if self._made is None or self._made[0] is not snapshot:
                self._made = snapshot, KinIndex.of(snapshot, self._words)
            return self._made[1]
