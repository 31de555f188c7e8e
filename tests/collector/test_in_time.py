"""A source that hangs: the others go on, it is reported, and what it read is not lost."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from collector.in_time import InTime
from collector.publisher import Flush
from collector.service import Collector
from collector.settings import CollectorSettings
from collector.source import Moment, Reading, SourceError
from models.inventory import Node
from models.metrics import NullMeter
from models.telemetry import TelemetryBatch

NOW = 1_700_000_000_000


class Kept:
    """A sink that keeps its flushes."""

    def __init__(self) -> None:
        self.flushes: list[Flush] = []

    def put(self, flush: Flush, state: Mapping[str, bytes]) -> None:
        self.flushes.append(flush)


class Driver:
    """A source whose reads return when they are let go."""

    name = "gpu"

    def __init__(self) -> None:
        self.go, self.ended = threading.Event(), threading.Event()
        self.reads = 0
        self.closed = False
        self.error: Exception | None = None

    def read(self, now: Moment) -> Reading:
        self.go.wait()
        self.reads += 1
        self.ended.set()
        if self.error:
            raise self.error
        return Reading([batch(self.name, now)])

    def state(self) -> bytes:
        return str(self.reads).encode()

    def restore(self, state: bytes, now: Moment) -> None:
        self.reads = int(state)

    def close(self) -> None:
        self.closed = True


class Host(Driver):
    """Answers at once, and knows the node."""

    name = "host"

    def read(self, now: Moment) -> Reading:
        return Reading([batch(self.name, now)], node=Node("c", "node-1", now.wall_ms))


def batch(name: str, now: Moment) -> TelemetryBatch:
    keys = {"workload": [f"c/ns/unit/{name}/"], "instance": ["1"]}
    return TelemetryBatch("cpu", keys, [now.wall_ms], [1000], {"cpu_cores": [1.0]})


def at(seconds: int) -> Moment:
    return Moment(NOW + 1000 * seconds, 1000 * seconds)


@pytest.fixture
def driver() -> Driver:
    return Driver()


def test_a_source_that_answers_is_read_as_before(driver: Driver) -> None:
    """Its rows, its state and its end."""
    source = InTime(driver, 30.0)
    source.restore(b"4", at(0))
    driver.go.set()
    (rows,) = source.read(at(1)).batches
    assert rows.time_ms == [NOW + 1000]
    assert source.state() == b"5"
    source.close()
    assert driver.closed


def test_an_error_of_the_source_is_its_error(driver: Driver) -> None:
    """Raised where the collector counts it; the next read is a new one."""
    driver.error = SourceError("no driver")
    driver.go.set()
    source = InTime(driver, 30.0)
    for _ in range(2):
        with pytest.raises(SourceError, match="no driver"):
            source.read(at(1))
    assert driver.reads == 2


def test_a_source_that_hangs_says_so_and_loses_nothing(driver: Driver) -> None:
    """After the deadline and at each read since then, without a second read beside the first; the state stays that of
    what was handed over. Once it ends, its rows come, and it is read anew."""
    source = InTime(driver, 0.01)
    for second in (1, 8):
        with pytest.raises(SourceError, match="gpu did not answer in"):
            source.read(at(second))
    assert source.state() == b"0"
    source.close()
    assert not driver.closed
    driver.go.set()
    assert driver.ended.wait(30)
    (rows,) = eventually(source, 20).batches
    assert rows.time_ms == [NOW + 1000]
    assert source.state() == b"1"


def eventually(source: InTime, second: int) -> Reading:
    """The thread has read by now, but may not have handed over."""
    while True:
        try:
            return source.read(at(second))
        except SourceError:
            continue


def test_the_other_sources_go_on_and_the_node_tells_which_hangs(driver: Driver) -> None:
    """Three reads: the host's rows are all there, the GPU's none; the node's coverage names source and reason."""
    sink = Kept()
    collector = Collector([InTime(driver, 0.01), Host()], sink, CollectorSettings(), NullMeter())
    for second in range(1, 4):
        collector.read(at(second))
    collector.flush(at(4))
    driver.go.set()
    (flush,) = sink.flushes
    assert [rows.keys["workload"] for rows in flush.batches] == [["c/ns/unit/host/"]] * 3
    (coverage,) = flush.nodes[0].coverage
    assert (coverage.source, coverage.seen) == ("gpu", False)
    assert "did not answer in" in coverage.reason
