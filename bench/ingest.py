"""The profiler: samples absorbed on one core and through real Kafka, memory per workload, growth with the fleet."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.ingest_kafka import KafkaFigures, kafka_figures
from bench.peers.vpa import VERSION, vpa_figures
from bench.report import Cell, Report
from bench.telemetry_load import PARTITIONS, SHAPE, T0_MS, Load, records
from deploy.services.service import ServiceError
from models.metrics import NullMeter
from profiler.partition import Partition
from profiler.settings import ProfilerSettings
from profiler.slabs import restore
from stream.contract import Record

FLEET = 20_000
SMALL, LARGE = 1_000, 100_000
_PASSES = 5
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_NOW_MS = T0_MS + 86_400_000
_VPA_REFERENCE = "400,000-700,000 (reference: another machine)"

Row = Mapping[str, Cell]


def run(data: Path | None) -> Report:
    """Needs no data set: the cost of a sample does not depend on its value."""
    per_s = {size: samples_per_s(size) for size in (SMALL, FLEET, LARGE)}
    bytes_per_workload = float(_child("bench.ingest_memory"))
    figures = {
        "profile_samples_per_s": per_s[FLEET],
        "bytes_per_workload": bytes_per_workload,
        "time_growth_1k_100k": per_s[SMALL] / per_s[LARGE],
    }
    rows = [_row(f"sizewise profiler, {size:,} workloads, from encoded messages", rate) for size, rate in per_s.items()]
    kafka, kafka_row = _kafka()
    if kafka is not None:
        figures["kafka_samples_per_s"] = kafka.samples_per_s
    return Report(
        "Samples absorbed: histograms, peaks, week, trend and 16 signal summaries of each workload",
        figures,
        [*rows, kafka_row, *_vpa(figures)],
        (
            SHAPE,
            "One core: per second of processor time of one process, best of 5; unpacked, checked and absorbed.",
            "Kafka: wall clock from the first message sent to the last profile and offset committed, with producer, "
            "profiler and broker on this machine's cores.",
            f"bytes_per_workload: resident memory of a process that holds {LARGE:,} workloads, ids and indices "
            "included, less that of the same process before them.",
        ),
    )


def samples_per_s(workloads: int, passes: int = _PASSES) -> float:
    """Samples per second of processor time, from encoded messages in memory to updated state, best of the passes."""
    load = Load(workloads)
    state = Fleet()
    state.take(records(Load(workloads, rows=1).flush(0)))
    best = float("inf")
    for number in range(1, passes + 1):
        flushes = max(1, FLEET // workloads)
        first = number * flushes
        batches = [records(load.flush(first + i)) for i in range(flushes)]
        began = time.process_time()
        for batch in batches:
            state.take(batch)
        best = min(best, (time.process_time() - began) / flushes)
    return load.samples_per_flush / best


class Fleet:
    """A profiler's partitions without a log."""

    def __init__(self) -> None:
        settings, meter = ProfilerSettings(), NullMeter()
        self.partitions = [Partition(number, restore(()), settings, meter) for number in range(PARTITIONS)]

    def take(self, batch: Sequence[Record]) -> None:
        for record in batch:
            self.partitions[record.partition].take(record, _NOW_MS)
        for partition in self.partitions:
            partition.settle()
            assert not partition.take_rejected(), "every sample of the load is good"


def _child(module: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module], check=True, capture_output=True, text=True, env={**os.environ, **_ONE_THREAD}
    )
    return done.stdout.strip()


def _kafka() -> tuple[KafkaFigures | None, Row]:
    try:
        measured = kafka_figures(FLEET)
    except ServiceError as error:
        return None, {"what": f"sizewise through Kafka: not run: {error}"}
    busy = f"cores busy: producer {measured.producer_cores:.2f}, profiler {measured.profiler_cores:.2f}"
    return measured, _row(f"sizewise through real Kafka, committed ({busy})", measured.samples_per_s)


def _vpa(figures: dict[str, float]) -> list[Row]:
    """The real VPA recommender absorbing samples, in this run."""
    name = f"VPA {VERSION}, ClusterState.AddSample"
    try:
        measured = vpa_figures()
        why = "go is missing"
    except ServiceError as error:
        measured, why = None, str(error)
    if measured is None:
        return [{"what": f"{name}: not run: {why}", "samples/s": _VPA_REFERENCE}]
    figures["vpa_samples_per_s"] = measured.samples_per_s
    figures["ingest_vs_vpa"] = figures["profile_samples_per_s"] / measured.samples_per_s
    return [_row(f"{name}, from structs in memory", measured.samples_per_s)]


def _row(what: str, per_s: float) -> Row:
    return {"what": what, "samples/s": per_s, "ns per sample": 1e9 / per_s}
