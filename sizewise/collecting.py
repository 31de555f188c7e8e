"""A collector and what carries its outbox to the log. Imports collector, stream and models only."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from collector.host.source import HostSource
from collector.outbox import Outbox
from collector.sender import Sender
from collector.service import Collector, OutboxSink
from collector.settings import CollectorSettings
from models.metrics import Meter
from sizewise.process_settings import ProcessSettings
from sizewise.supervise import Stage, supervise
from stream.contract import EventLog, LogError
from stream.streams import TELEMETRY

OpenLog = Callable[[], EventLog]
"""The log, opened at the first call; the same after that. Raises LogUnavailableError while it is away."""

_PARTITIONS = "partitions"
_log = logging.getLogger(__name__)


def collect(
    open_log: OpenLog,
    settings: CollectorSettings,
    process: ProcessSettings,
    partitions: int,
    meter: Meter,
    stop: threading.Event,
) -> None:
    """Collect until `stop`; then flush, and send what is left. Works while the log is away: the outbox holds it.

    `partitions` counts only until the log was reached once.
    """
    with Outbox(Path(settings.outbox).expanduser(), settings.outbox_max_bytes, meter) as outbox:
        known = KnownPartitions(open_log, outbox, partitions)
        collector = Collector([HostSource(settings)], OutboxSink(outbox, known), settings, meter, wait=stop.wait)
        collector.restore(outbox.state)
        sent = threading.Event()
        sender = threading.Thread(
            target=supervise, args=(_sending(open_log, outbox, settings, meter), sent, process, meter, time.monotonic)
        )
        sender.start()
        try:
            collector.run(stop)
        finally:
            sent.set()  # only now, so that the last flush goes out too
            sender.join()


def _sending(open_log: OpenLog, outbox: Outbox, settings: CollectorSettings, meter: Meter) -> Stage:
    def send(stop: threading.Event) -> None:
        Sender(outbox, lambda: open_log().writer(), settings, meter, stop.wait).run(stop)

    return Stage("send", send)


class KnownPartitions:
    """How many partitions telemetry has: asked of the log, and remembered in the outbox for when it is away."""

    def __init__(self, open_log: OpenLog, outbox: Outbox, configured: int) -> None:
        self._open, self._outbox, self._configured = open_log, outbox, configured
        self._known: int | None = None

    def __call__(self) -> int:
        if self._known is None:
            try:
                self._known = self._open().partitions(TELEMETRY)
                self._outbox.set_fact(_PARTITIONS, str(self._known))
            except LogError as error:
                _log.warning("the log cannot say how many partitions it has; taking the newest number known: %s", error)
                return int(self._outbox.fact(_PARTITIONS) or self._configured)
        return self._known
