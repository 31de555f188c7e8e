"""The newest index over a view, for requests: a thread makes it anew, and nobody waits for it but the first."""

from __future__ import annotations

import threading

from recommender.kin.calibrate import Calibration
from recommender.kin.index import KinIndex
from recommender.kin.words_kept import Words
from recommender.view import Snapshot, View

_EVERY_S = 60.0
"""At 100,000 workloads an index takes 1 to 2 s of processor time: 3 % of a core."""
_AT_ONCE = 2000
"""Workloads up to which an index is made when it is asked for, in about 10 ms."""
_CALIBRATED_FROM, _CHANGE = 100, 0.1


class KinKeeper:
    """Shared by all requests. Kin change little within a minute, so an answer may rest on a snapshot before the newest."""

    def __init__(self, view: View) -> None:
        self._view, self._words, self._lock = view, Words(), threading.Lock()
        self._made: tuple[Snapshot, KinIndex] | None = None

    @property
    def index(self) -> KinIndex:
        """Of the newest snapshot while it is small; of one that `refresh` came to while it is large."""
        made, snapshot = self._made, self._view.snapshot
        if made is None or _outgrown(made[0], snapshot):
            return self._first()
        if made[0] is not snapshot and len(snapshot) <= _AT_ONCE:
            with self._lock:
                return self._make(_still_good(made[1], len(snapshot)))
        return made[1]

    def run(self, stop: threading.Event) -> None:
        """Keep the index of a large view new, and calibrate that of a small one, until `stop`."""
        while not stop.wait(_EVERY_S):
            self.refresh()

    def refresh(self) -> KinIndex:
        """Make and calibrate the index of the newest snapshot."""
        with self._lock:
            return self._make(None)

    def _first(self) -> KinIndex:
        """Of a large view, made by whoever asks first; who asked meanwhile takes that one."""
        with self._lock:
            if self._made is not None and not _outgrown(self._made[0], self._view.snapshot):
                return self._made[1]
            return self._make(None)

    def _make(self, calibration: Calibration | None) -> KinIndex:
        snapshot = self._view.snapshot
        index = KinIndex.of(snapshot, self._words, calibration)
        self._made = snapshot, index
        return index


def _outgrown(made_of: Snapshot, now: Snapshot) -> bool:
    """Whether the index is of a view that was small, as while the log is being read, and the view is large by now."""
    return len(made_of) <= _AT_ONCE < len(now)


def _still_good(before: KinIndex, workloads: int) -> Calibration | None:
    """Calibration takes longer than the rest of an index: it is used again while the fleet is about what it was."""
    same = len(before) >= _CALIBRATED_FROM and abs(workloads - len(before)) <= _CHANGE * len(before)
    return before.calibration if same else None
