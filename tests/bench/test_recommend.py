"""The recommend bench: its report, with and without the peer."""

from __future__ import annotations

import pytest

from bench import recommend
from bench.profile_fleet import SLAB, profile_slabs
from models.reasons import Action
from recommender.sizing.decide import decide
from recommender.sizing.policy_columns import PolicyTable
from recommender.sizing.settings import SizingPolicy


def test_without_go_the_peer_row_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our figures are there, the peer's are not, and the reference beside it is labelled as one."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(recommend, "WORKLOADS", 2 * SLAB)
    report = recommend.run(None)
    ours = {"recommend_100k_s", "recommend_100k_unpacked_s", "finish_day_ms_per_workload", "state_bytes_per_workload"}
    assert set(report.figures) == ours
    assert min(report.figures.values()) > 0
    assert report.rows[-1]["what"] == "VPA 1.8.1: not run: go is missing"
    assert "reference" in str(report.rows[-1]["recommendations/s"])


def test_the_made_up_fleet_is_decided_in_every_way() -> None:
    """No row is too young or lacks a signal, and the fleet holds raises, lowers, leaves and first requests."""
    (slab,) = profile_slabs(SLAB)
    actions = set(decide(slab, None, PolicyTable(SizingPolicy()).columns(()))["action"].ravel().tolist())
    assert actions == {Action.LEAVE, Action.RAISE, Action.LOWER, Action.SET}
