"""The load of the ingest bench is what it says, and the profiler takes all of it."""

from __future__ import annotations

from bench.ingest import Fleet, samples_per_s
from bench.ingest_memory import bytes_per_workload
from bench.telemetry_load import PARTITIONS, SIGNALS, Load, records


def test_every_sample_of_the_load_is_absorbed() -> None:
    """200 workloads, 10 rows each, 13 signals: 2,000 rows in 8 messages, 26,000 samples, none rejected."""
    load, fleet = Load(200), Fleet()
    batch = records(load.flush(0))
    fleet.take(batch)
    assert len(batch) == PARTITIONS
    assert load.samples_per_flush == 200 * 10 * SIGNALS == 26_000
    profiles = [partition.profiles for partition in fleet.partitions]
    assert sum(len(p) for p in profiles) == 200
    assert sum(int(p["signal_count"][: len(p)].sum()) for p in profiles) == 26_000


def test_the_measurements_run() -> None:
    """On a small fleet both give a number that can only be positive."""
    assert samples_per_s(200, passes=1) > 0
    assert bytes_per_workload(2000) > 0
