"""Imports that are stopped, killed, refused or never end: every sample once."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from collector.outbox import Outbox, OutboxError
from collector.prometheus.client import PrometheusClient
from collector.prometheus.history import History, Position
from collector.prometheus.questions import Questions
from collector.prometheus.run import import_history
from collector.prometheus.settings import ImportSettings, ServerSettings
from collector.settings import CollectorSettings
from collector.source import SourceError
from deploy.services.prometheus import PrometheusServer
from models.metrics import NullMeter
from stream.contract import EventLog
from stream.streams import TELEMETRY
from tests.collector.dcgm.pages import exporter
from tests.collector.prometheus.conftest import Importer, Serve
from tests.collector.prometheus.rows import rows_in
from tests.collector.prometheus.world import T0, Container, World, minutes

SHOP = Container("shop", "web-7d9f8b6c5d-x2x4z", "nginx")
TIMES = minutes(12)


class KilledError(Exception):
    """What ends an import anywhere."""


def shop() -> World:
    world = World()
    SHOP.add_to(world, TIMES, [0.5] * len(TIMES), [1e9] * len(TIMES))
    return world


def times_in(log: EventLog) -> list[int]:
    return [row.time_ms // 1000 for row in rows_in(log)]


@pytest.mark.parametrize("after", ["before the outbox", "after the outbox"])
def test_an_import_that_dies_goes_on_without_a_hole_or_a_repeat(
    serve: Serve, importer: Importer, log: EventLog, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """It dies at every third span, just before or just after the span is in the outbox; started again until it is
    through, each sample is one row, and each but the first has its rate: spans overlap by what a rate needs."""
    importer.settings = replace(importer.settings, max_span_s=3600.0)
    url = serve(shop()).url
    real, spans = History._take, iter(range(1, 1000))

    def dying(self: History, asked: object) -> None:
        dies = next(spans) % 3 == 0
        if dies and after == "before the outbox":
            raise KilledError
        real(self, asked)  # type: ignore[arg-type]  # a span, whatever it holds
        if dies:
            raise KilledError

    monkeypatch.setattr(History, "_take", dying)
    deaths = 0
    while True:
        try:
            done = importer.run(url, 12)
            break
        except KilledError:
            deaths += 1
    assert deaths >= 3
    assert done.complete
    assert times_in(log) == TIMES
    assert [row.signals.get("cpu_cores") for row in rows_in(log)] == [None, *[pytest.approx(0.5)] * (len(TIMES) - 1)]


def test_a_second_import_brings_only_what_is_new(serve: Serve, importer: Importer, log: EventLog) -> None:
    """Up to the eighth hour, then up to the twelfth, then nothing."""
    url = serve(shop()).url
    assert importer.run(url, 8).rows == 8 * 60
    assert importer.run(url, 12).rows == 4 * 60
    assert importer.run(url, 12).rows == 0
    assert times_in(log) == TIMES


def test_an_import_that_is_told_to_stop_says_that_it_is_not_through(serve: Serve, importer: Importer) -> None:
    """Nothing more is begun."""
    importer.stop.set()
    imported = importer.run(serve(shop()).url, 12)
    assert not imported.complete


def test_an_outbox_belongs_to_one_import(serve: Serve, importer: Importer) -> None:
    """Other matchers or another server would leave holes where the first one has been."""
    url = serve(shop()).url
    importer.run(url, 1)
    with pytest.raises(OutboxError, match=r"collector\.outbox"):
        importer.run(url, 12, match='namespace="other"')


def test_following_brings_what_a_live_server_scrapes(prometheus_home: Path, log: EventLog, tmp_path: Path) -> None:
    """A real Prometheus scrapes an exporter every second; the import follows it 2 s behind. Each scrape is one row,
    each with the memory that the exporter showed, whatever the times of asking were."""
    with exporter(page(1)) as target, scraping(prometheus_home, target.address) as server:
        stop = threading.Event()
        follower = threading.Thread(target=follow, args=(server.url, log, tmp_path / "follow.db", stop))
        follower.start()
        try:
            for size in range(2, 8):
                target.page = page(size)
                time.sleep(1)
            wait_until(lambda: any(row.signals["memory_working_set_bytes"] == 7e6 for row in rows_in(log)))
        finally:
            stop.set()
            follower.join()
    rows = rows_in(log)
    sizes = [row.signals["memory_working_set_bytes"] / 1e6 for row in rows]
    assert sizes == sorted(sizes)
    assert {2.0, 3.0, 4.0, 5.0, 6.0, 7.0} <= set(sizes)
    spans = [after.time_ms - before.time_ms for before, after in itertools.pairwise(rows)]
    assert spans == [row.interval_ms for row in rows[1:]]
    assert all(900 < span < 1100 for span in spans)


def page(size: int) -> str:
    text = ",".join(f'{name}="{value}"' for name, value in SHOP.labels.items() if name not in ("instance", "job"))
    return f"container_memory_working_set_bytes{{{text}}} {size}000000\n"


@contextmanager
def scraping(home: Path, target: str) -> Iterator[PrometheusServer]:
    config = (
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: kubelet, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    server = PrometheusServer(home, config=config)
    client = PrometheusClient(ServerSettings(server.url))
    try:
        wait_until(lambda: client.instant("up == 1", time.time()))  # it looks for targets every 5 s
        yield server
    finally:
        client.close()
        server.close()


def follow(url: str, log: EventLog, outbox: Path, stop: threading.Event) -> None:
    import_history(
        ServerSettings(url),
        ImportSettings(cluster="prod", lag_s=2.0, follow_interval_s=0.5),
        round(time.time() * 1000),
        lambda: log,
        CollectorSettings(outbox=str(outbox)),
        NullMeter(),
        stop,
        follow=True,
    )


def wait_until(true: object, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():  # type: ignore[operator]  # a function
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_following_survives_a_server_that_is_away(serve: Serve, importer: Importer, log: EventLog) -> None:
    """An import from a server that is stopped is an error that names it; after it is back the same import goes on."""
    server = serve(shop())
    importer.run(server.url, 4)
    server.stop()
    with pytest.raises(SourceError, match="no connection"):
        import_history(
            ServerSettings(server.url, retries=0), importer.settings, T0 * 1000, lambda: log,
            CollectorSettings(outbox=str(importer.outbox)), NullMeter(), importer.stop,
            now_ms=lambda: (T0 + 12 * 3600) * 1000,
        )  # fmt: skip
    server.start()
    assert importer.run(server.url, 12).complete
    assert times_in(log) == TIMES


def test_after_a_refusal_what_is_known_of_pods_is_asked_for_anew(
    serve: Serve, log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Following, a question about usage is refused while requests were on their way: the rows that come then have them."""
    world, settings = shop(), ImportSettings(cluster="prod", max_span_s=3600.0)
    size = {**SHOP.labels, "resource": "cpu", "unit": "core"}
    world.add("kube_pod_container_resource_requests", [(time, 0.5) for time in TIMES], **size)
    client, begin_ms = PrometheusClient(ServerSettings(serve(world).url)), T0 * 1000
    with Outbox(tmp_path / "import.db", 1 << 28, NullMeter()) as outbox:
        history = History(client, settings, outbox, 2, 1 << 28, NullMeter(), Position("", begin_ms, begin_ms))
        with monkeypatch.context() as refused:
            refused.setattr(Questions, "samples", refuse)
            with pytest.raises(SourceError):
                history.run(begin_ms + 4 * 3_600_000, threading.Event())
        history.run(begin_ms + 4 * 3_600_000, threading.Event())
        told = [waiting.message for waiting in outbox.oldest(1000, 1 << 28) if waiting.stream == TELEMETRY]
    client.close()
    writer = log.writer()
    writer.append(TELEMETRY, told)
    writer.flush(5)
    writer.close()
    assert [row.signals.get("cpu_request_cores") for row in rows_in(log)] == [0.5] * 240


def refuse(*asked: object) -> None:
    raise SourceError("not now")
