"""What a profiler's process grows by for 100,000 workloads, per workload. Run as a program it prints the number."""

from __future__ import annotations

import gc

import psutil

from bench.ingest import LARGE, Fleet
from bench.telemetry_load import Load, records


def bytes_per_workload(workloads: int) -> float:
    """Resident bytes. Ten rows of each are taken, so that what absorbing needs meanwhile is there as well."""
    _take(Fleet(), 1000)  # imports, codecs and numpy's own memory come first
    before = _resident()
    fleet = Fleet()
    _take(fleet, workloads)
    assert sum(len(partition.profiles) for partition in fleet.partitions) == workloads
    return (_resident() - before) / workloads


def _take(fleet: Fleet, workloads: int) -> None:
    for message in Load(workloads).flush(0):
        fleet.take(records(iter([message])))


def _resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    print(bytes_per_workload(LARGE))
