"""Thanos, Mimir and VictoriaMetrics, the real ones, with the history that a real Prometheus has: the same rows, or an error
that says why not."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from collector.prometheus.client import PrometheusClient
from collector.prometheus.run import import_history
from collector.prometheus.settings import ImportSettings, ServerSettings
from collector.settings import CollectorSettings
from collector.source import SourceError
from deploy.services.mimir import TENANT, MimirServer
from deploy.services.prometheus import PrometheusServer
from deploy.services.thanos import ThanosServer
from deploy.services.victoria_metrics import VictoriaMetricsServer
from models.events import WorkloadEvent
from models.inventory import Node
from models.metrics import NullMeter
from stream.open import open_log
from stream.settings import LogSettings
from stream.streams import stream_specs
from tests.collector.prometheus.rows import Row, events_in, nodes_in, rows_in
from tests.collector.prometheus.story import HOURS, story
from tests.collector.prometheus.world import T0

CPU = 'container_cpu_usage_seconds_total{container!="POD"}'
END = T0 + HOURS * 3600


@dataclass(frozen=True)
class Told:
    """All that an import brought."""

    cpu: Sequence[Row]
    gpu: Sequence[Row]
    events: Sequence[WorkloadEvent]
    nodes: Sequence[Node]


@pytest.fixture(scope="module")
def history(prometheus_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    """A real Prometheus that was there."""
    server = PrometheusServer(prometheus_home)
    server.stop()
    story().write_into(server, tmp_path_factory.mktemp("story"))
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def victoria_metrics(victoria_metrics_home: Path) -> Iterator[VictoriaMetricsServer]:
    server = VictoriaMetricsServer(victoria_metrics_home)
    server.fill(story().text())
    yield server
    server.close()


@pytest.fixture(scope="module")
def mimir(mimir_home: Path, history: PrometheusServer) -> Iterator[MimirServer]:
    server = MimirServer(mimir_home)
    server.fill(history.data)
    yield server
    server.close()


@pytest.fixture(scope="module")
def thanos(thanos_home: Path, history: PrometheusServer) -> Iterator[ThanosServer]:
    """Two replicas that saw the same."""
    server = ThanosServer(thanos_home, blocks={"a": history.data, "b": history.data})
    yield server
    server.close()


@pytest.fixture
def told(tmp_path: Path):
    """Imports the whole story from a server; `options` are ImportSettings."""
    number = iter(range(100))

    def told(server: ServerSettings, **options: object) -> Told:
        folder = tmp_path / str(next(number))
        folder.mkdir()
        log = open_log(LogSettings(location=f"sqlite:{folder / 'log.db'}", partitions=2))
        log.ensure(stream_specs(2))
        done = import_history(
            server, replace(ImportSettings(cluster="prod"), **options), T0 * 1000, lambda: log,  # type: ignore[arg-type]
            CollectorSettings(outbox=str(folder / "outbox.db")), NullMeter(), threading.Event(),
            now_ms=lambda: round(END * 1000),
        )  # fmt: skip
        assert done.complete
        found = Told(
            *(sorted(rows_in(log, kind), key=lambda row: (row.keys, row.time_ms)) for kind in ("cpu", "gpu")),
            sorted(events_in(log), key=lambda event: event.time_ms),
            sorted(nodes_in(log), key=lambda node: node.name),
        )
        log.close()
        return found

    return told


def assert_same(found: Told, truth: Told, rel: float = 0.0) -> None:
    """Every row with its time, span and signals, every event and every machine. rel: of a value, as much may be lost."""
    assert (found.events, found.nodes) == (truth.events, truth.nodes)
    for mine, theirs in ((found.cpu, truth.cpu), (found.gpu, truth.gpu)):
        assert [(row.keys, row.time_ms, row.interval_ms) for row in mine] == [
            (row.keys, row.time_ms, row.interval_ms) for row in theirs
        ]
        for one, other in zip(mine, theirs, strict=True):
            assert one.signals == pytest.approx(other.signals, rel=rel, abs=0.0)


def usage_of(told: Told) -> Told:
    """Without requests and limits."""
    return replace(told, cpu=[replace(row, signals=_unsized(row.signals)) for row in told.cpu])


def _unsized(signals: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in signals.items() if "_request_" not in name and "_limit_" not in name}


JSON = {"remote_read": False}
"""Of a size that changed, chunks tell the change within two hours and JSON within three: the same way, the same rows."""


@pytest.mark.parametrize("step_s", [0.0, 300.0])
def test_victoria_metrics_tells_the_same(history, victoria_metrics, told, step_s: float) -> None:
    """It has no remote read and keeps 15 digits of a value: a rate out of a counter of 10,000 s is exact to 1e-8. Its
    steps are those of all others, too, wherever a span begins."""
    truth = told(ServerSettings(history.url, **JSON), step_s=step_s)
    assert len(truth.cpu) > 500
    assert_same(told(ServerSettings(victoria_metrics.url), step_s=step_s), truth, rel=1e-8)


def test_what_two_replicas_saw_counts_once(victoria_metrics_home, victoria_metrics, told) -> None:
    """Where the server keeps both: disks, interfaces and CPUs are added up, of one replica each."""
    server = VictoriaMetricsServer(victoria_metrics_home)
    try:
        for replica in ("a", "b"):
            server.fill(story().text(prometheus_replica=replica))
        truth = told(ServerSettings(victoria_metrics.url))
        assert max(row.signals.get("disk_read_bytes_per_s", 0.0) for row in truth.cpu) == pytest.approx(150)
        assert_same(told(ServerSettings(server.url)), truth)
    finally:
        server.close()


@pytest.mark.parametrize("step_s", [0.0, 300.0])
def test_thanos_tells_the_same(history, thanos, told, step_s: float) -> None:
    """It has no remote read, and makes one of what two replicas saw."""
    truth = told(ServerSettings(history.url, **JSON), step_s=step_s)
    assert_same(told(ServerSettings(thanos.url), step_s=step_s), truth)


@pytest.mark.parametrize("step_s", [0.0, 300.0])
def test_mimir_tells_the_same(history, mimir, told, step_s: float) -> None:
    """Asked for JSON, and for samples in chunks."""
    truth = told(ServerSettings(history.url, **JSON), step_s=step_s)
    assert_same(told(ServerSettings(mimir.url, TENANT, **JSON), step_s=step_s), truth)
    with client(ServerSettings(mimir.url, TENANT)) as mine, client(ServerSettings(history.url)) as theirs:
        assert samples(mine, step_s) == samples(theirs, step_s)
        assert mine.chunked


@contextmanager
def client(settings: ServerSettings) -> Iterator[PrometheusClient]:
    client = PrometheusClient(settings)
    try:
        yield client
    finally:
        client.close()


def samples(client: PrometheusClient, step_s: float = 0.0) -> dict[str, tuple[list[int], list[float]]]:
    """Of the CPU counters, by pod."""
    found = client.range(CPU, T0, END, step_s)
    return {one.labels()["pod"]: (one.time_ms.tolist(), one.value.tolist()) for one in found}


def test_mimir_without_a_tenant_is_told_how_to_name_one(mimir) -> None:
    with client(ServerSettings(mimir.url)) as nobody, pytest.raises(SourceError, match=r"no org id.* --header"):
        samples(nobody)


def test_a_thanos_whose_store_is_away_is_not_taken_for_whole(thanos_home, history, told) -> None:
    """Its querier answers 200 with a warning for some seconds and then without one, as it has given the store up. Either
    is an error that names the store; who wants what there is gets it."""
    server = ThanosServer(thanos_home, blocks={"a": history.data, "b": history.data})
    try:
        server.lose("b")
        asked = ServerSettings(server.url, retries=0)
        for retries in (0, 5):  # 15 s more
            with pytest.raises(SourceError, match=r"a part of it does not answer .*connection refused.*--partial"):
                told(replace(asked, retries=retries))
        assert_same(told(replace(asked, partial=True)), told(ServerSettings(history.url, **JSON)))
    finally:
        server.close()


def test_limits_of_thanos_stores_are_kept(thanos_home, history, told) -> None:
    """1,440 samples of a series for each store gateway are 12 chunks: spans are halved until they fit. Its answer to more
    is an empty one, with a warning. Usage is the same; that a request changed is seen sooner, as halves tell more of it
    than the newest value of a whole does."""
    flags = ["--store.limits.request-samples=1440"]
    server = ThanosServer(thanos_home, blocks={"a": history.data}, store_flags=flags)
    try:
        mine, theirs = told(ServerSettings(server.url)), told(ServerSettings(history.url, **JSON))
        assert_same(usage_of(mine), usage_of(theirs))
    finally:
        server.close()


@pytest.mark.parametrize(
    "flag",
    [
        "-querier.max-partial-query-length=3h",
        "-query-frontend.max-total-query-length=3h",
        "-querier.max-fetched-chunks-per-query=9",
        "-querier.max-fetched-chunk-bytes-per-query=9000",
    ],
)
def test_limits_of_mimir_are_kept(mimir_home, history, flag: str) -> None:
    """In chunks and in JSON spans are halved until they fit; that a question was too much is no sign that remote read is
    not spoken, whatever the status (400, 422 or 500)."""
    server = MimirServer(mimir_home, flags=[flag])
    try:
        server.fill(history.data)
        with client(ServerSettings(history.url)) as theirs:
            truth = samples(theirs)
        for remote_read in (True, False):
            with client(ServerSettings(server.url, TENANT, remote_read=remote_read)) as mine:
                assert samples(mine) == truth
                assert mine.chunked == remote_read
    finally:
        server.close()


def test_a_limit_that_no_span_keeps_to_is_named(mimir_home, history) -> None:
    """Three series are too many for two, however short the span; of the list of metrics a part is no list."""
    flags = ["-querier.max-fetched-series-per-query=2", "-querier.max-label-values-limit=2"]
    server = MimirServer(mimir_home, flags=flags)
    try:
        server.fill(history.data)
        for remote_read in (True, False):
            with client(ServerSettings(server.url, TENANT, retries=0, remote_read=remote_read)) as mine:
                with pytest.raises(SourceError, match=r"err-mimir-max-series-per-query.*--match"):
                    samples(mine)
                with pytest.raises(SourceError, match=r"truncated due to querier\.max-label-values-limit"):
                    mine.names(T0, END)
    finally:
        server.close()


def test_limits_of_victoria_metrics_are_kept(victoria_metrics_home, victoria_metrics) -> None:
    """300 samples of a series are five hours. Its limit of samples in all counts whole blocks of up to 8,192 samples
    that a span touches, and is named where a minute touches more."""
    flags = ["-search.maxSamplesPerSeries=300", "-search.maxSamplesPerQuery=1900"]
    server = VictoriaMetricsServer(victoria_metrics_home, flags=flags)
    try:
        server.fill(story().text())
        with client(ServerSettings(server.url)) as mine, client(ServerSettings(victoria_metrics.url)) as theirs:
            assert samples(mine) == samples(theirs)
            with pytest.raises(SourceError, match=r"search\.maxSamplesPerQuery.*--match"):
                mine.range('{__name__=~"DCGM.*"}', T0, END)
    finally:
        server.close()
