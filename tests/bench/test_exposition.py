"""The bench of the fleet's series runs, on a small fleet."""

from __future__ import annotations

from bench.exposition import made_up, row


def test_a_made_up_fleet_has_workloads_with_and_without_gpus() -> None:
    """Two slabs, of 256 rows and of 44; about three of ten on GPUs."""
    fleet = made_up(300)
    assert [len(slab.ids) for slab in fleet.slabs.values()] == [256, 44]
    assert 60 < (fleet.columns["gpu_last_seen_ms"] > 0).sum() < 120


def test_a_row_of_the_report() -> None:
    """Each workload has its request, at least."""
    told = row(300)
    assert told["workloads"] == 300
    assert int(told["series"] or 0) > 300 * 20
