"""The index of kin that each scope has for itself."""

from __future__ import annotations

import threading

import pytest

from recommender.access.restrict import restrict
from recommender.access.scope import Scope
from recommender.api.decide_kin import KinOf
from recommender.kin.index import KinIndex
from recommender.kin.keeper import KinKeeper
from recommender.view import Snapshot, View
from tests.recommender.access.fleets import OURS, THEIRS, Facts, Fleet

US, THEM = Scope.of(["decide"], ["prod/shop"]), Scope.of(["decide"], ["prod/bank"])


def test_nobody_waits_while_an_index_of_others_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of others does not come to its end; ours is there all the same, and holds our own alone."""
    whole = Fleet([Facts(name, 1, False) for name in OURS + THEIRS], [], []).snapshot()
    ours, theirs = restrict(whole, US), restrict(whole, THEM)
    begun, go, make = threading.Event(), threading.Event(), KinIndex.of

    def slow(snapshot: Snapshot) -> KinIndex:
        if snapshot is theirs:
            begun.set()
            go.wait(10)
        return make(snapshot)

    monkeypatch.setattr(KinIndex, "of", slow)
    kin = KinOf(KinKeeper(View()), lambda: 0.0)
    others = threading.Thread(target=kin.index, args=(theirs, THEM))
    others.start()
    try:
        assert begun.wait(10)
        index = kin.index(ours, US)
        assert others.is_alive()
        assert sorted(index.place) == sorted(name for name in OURS if name.startswith("prod/shop/"))
        assert kin.index(ours, US) is index
    finally:
        go.set()
        others.join()
