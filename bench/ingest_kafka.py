"""The profiler through a real Kafka broker: one process sends encoded telemetry, one profiles it and commits.

Run as a program it is one of the two: `produce` or `profile`, with BOOTSTRAP, PREFIX and the number of workloads.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

import psutil

from bench.telemetry_load import PARTITIONS, T0_MS, Load
from deploy.services.cache import Cache
from deploy.services.kafka import KAFKA, KafkaBroker
from models.metrics import NullMeter
from profiler.service import Profiler
from profiler.settings import ProfilerSettings
from stream.contract import EventLog
from stream.open import open_log
from stream.settings import KafkaSettings, LogSettings
from stream.streams import TELEMETRY, stream_specs

FLUSHES = 12
"""31 million samples at 20,000 workloads: half a minute at the target, so that start and end weigh little."""
COMMIT_INTERVAL_S = 5.0
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class KafkaFigures:
    """samples_per_s by wall clock; cores: processor time of each process over that time."""

    samples_per_s: float
    producer_cores: float
    profiler_cores: float


_Process = subprocess.Popen[str]


def kafka_figures(workloads: int) -> KafkaFigures:
    """Raises ServiceError when the broker is not built."""
    broker = KafkaBroker(Cache.from_environment().require(KAFKA))
    try:
        arguments = [broker.bootstrap, f"bench{uuid.uuid4().hex[:8]}.", str(workloads)]
        log = _open(*arguments[:2])
        log.ensure(stream_specs(PARTITIONS))
        with _child("profile", arguments) as profiler, _child("produce", arguments) as producer:
            found = _measure(log, Load(workloads), producer, profiler)
        log.close()
    finally:
        broker.close()
    return found


def _measure(log: EventLog, load: Load, producer: _Process, profiler: _Process) -> KafkaFigures:
    """Wait until the producer has encoded everything and the profiler knows every workload; then time the rest."""
    assert producer.stdin is not None
    assert producer.stdout is not None
    producer.stdout.readline()
    messages = load.nodes * PARTITIONS
    _wait_until_committed(log, messages)
    children = (producer, profiler)
    before = [_cpu_s(child) for child in children]
    began = time.perf_counter()
    producer.stdin.write("go\n")
    producer.stdin.flush()
    _wait_until_committed(log, messages * (1 + FLUSHES))
    wall_s = time.perf_counter() - began
    cores = [(_cpu_s(child) - used) / wall_s for child, used in zip(children, before, strict=True)]
    return KafkaFigures(load.samples_per_flush * FLUSHES / wall_s, cores[0], cores[1])


def _wait_until_committed(log: EventLog, messages: int) -> None:
    """Telemetry is appended without transactions, so its offsets count messages."""
    deadline = time.monotonic() + _TIMEOUT_S
    while sum(log.committed(ProfilerSettings().group, TELEMETRY).values()) < messages:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{messages} messages were not profiled and committed in {_TIMEOUT_S:.0f} s")
        time.sleep(0.5)  # asking costs the broker something too


def _cpu_s(child: _Process) -> float:
    times = psutil.Process(child.pid).cpu_times()
    return float(times.user + times.system)


@contextmanager
def _child(role: str, arguments: list[str]) -> Iterator[_Process]:
    command = [sys.executable, "-m", "bench.ingest_kafka", role, *arguments]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **_ONE_THREAD}
    )
    try:
        yield child
    finally:
        child.terminate()
        child.communicate(timeout=30)


def _open(bootstrap: str, prefix: str) -> EventLog:
    return open_log(LogSettings(f"kafka:{bootstrap}", kafka=KafkaSettings(topic_prefix=prefix)))


def produce(log: EventLog, load: Load) -> None:
    """Make every workload known; encode all flushes; say so; send them when told to."""
    writer = log.writer()
    writer.append(TELEMETRY, list(Load(load.workloads, rows=1).flush(0)))
    writer.flush(60)
    flushes = [list(load.flush(number)) for number in range(1, 1 + FLUSHES)]
    print("encoded", flush=True)
    sys.stdin.readline()
    for flush in flushes:
        for start in range(0, len(flush), PARTITIONS):
            writer.append(TELEMETRY, flush[start : start + PARTITIONS])  # as one node would
        writer.flush(60)
    writer.close()
    sys.stdin.readline()  # until the parent has read what this process used


def profile(log: EventLog) -> None:
    """A profiler as it runs in a cluster. The load's clock is not today's, so neither is the profiler's."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = ProfilerSettings(commit_interval_s=COMMIT_INTERVAL_S)
    started = time.time()
    Profiler(log, settings, NullMeter(), lambda: T0_MS / 1000 + 3600 + time.time() - started).run(stop)


def main(role: str, bootstrap: str, prefix: str, workloads: str) -> None:
    log = _open(bootstrap, prefix)
    if role == "produce":
        produce(log, Load(int(workloads)))
    else:
        profile(log)
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
