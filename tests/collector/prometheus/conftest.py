"""Real servers with made-up histories, and imports from them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from collector.prometheus.run import Imported, import_history
from collector.prometheus.settings import ImportSettings, ServerSettings
from collector.settings import CollectorSettings
from deploy.services.prometheus import PrometheusServer
from models.metrics import NullMeter
from stream.contract import EventLog
from stream.open import open_log
from stream.settings import LogSettings
from stream.streams import stream_specs
from tests.collector.prometheus.world import T0, World

Serve = Callable[[World], PrometheusServer]


@pytest.fixture
def serve(prometheus_home: Path, tmp_path: Path) -> Iterator[Serve]:
    """Starts a Prometheus on a world's history."""
    servers: list[PrometheusServer] = []

    def start(world: World) -> PrometheusServer:
        server = PrometheusServer(prometheus_home)
        servers.append(server)
        server.stop()
        world.write_into(server, tmp_path)
        server.start()
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    """A log of two partitions."""
    log = open_log(LogSettings(location=f"sqlite:{tmp_path / 'log.db'}", partitions=2))
    log.ensure(stream_specs(2))
    yield log
    log.close()


class Importer:
    """Imports into one log through one outbox, again and again."""

    def __init__(self, log: EventLog, outbox: Path) -> None:
        self._log, self.outbox = log, outbox
        self.settings = ImportSettings(cluster="prod")
        self.stop = threading.Event()
        self.meter = NullMeter()

    def run(self, url: str, hours: float, begin: float = T0, **options: object) -> Imported:
        """Import (begin, begin + hours]. `options` are ImportSettings."""
        return import_history(
            ServerSettings(url),
            replace(self.settings, **options),  # type: ignore[arg-type]
            round(begin * 1000),
            lambda: self._log,
            CollectorSettings(outbox=str(self.outbox)),
            self.meter,
            self.stop,
            now_ms=lambda: round((begin + hours * 3600) * 1000),
        )


@pytest.fixture
def importer(log: EventLog, tmp_path: Path) -> Importer:
    return Importer(log, tmp_path / "import.db")
