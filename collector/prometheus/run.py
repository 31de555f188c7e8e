"""An import from its first question to the last message that the log confirmed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from collector.outbox import Outbox, OutboxError
from collector.prometheus.client import PrometheusClient
from collector.prometheus.history import SOURCE, STATE, History, Position, Progress
from collector.prometheus.settings import ImportSettings, ServerSettings
from collector.run import LogLink, OpenLog, sending
from collector.service import moment
from collector.settings import CollectorSettings
from collector.source import SourceError, Stop
from models.metrics import Meter

_LOGGER = logging.getLogger(__name__)
_DRAIN_WAIT_S = 0.05


@dataclass(frozen=True, slots=True)
class Imported:
    """complete: all is in the log; rows: of this run; from_ms, until_ms: what the outbox's imports cover by now"""

    complete: bool
    rows: int
    from_ms: int
    until_ms: int


def import_history(
    server: ServerSettings,
    wanted: ImportSettings,
    since_ms: int,
    open_log: OpenLog,
    settings: CollectorSettings,
    meter: Meter,
    stop: threading.Event,
    *,
    follow: bool = False,
    progress: Progress = lambda done_ms, total_ms, rows: None,
    now_ms: Callable[[], int] = lambda: moment().wall_ms,
) -> Imported:
    """Import (since_ms, now]; with `follow`, go on with what comes until stopped.

    The outbox remembers how far it is: started again, it goes on there, and `since_ms` only counts at the first start.
    Raises SourceError, OutboxError, LogError.
    """
    with ExitStack() as stack:
        client = PrometheusClient(server)
        stack.callback(client.close)
        outbox = stack.enter_context(Outbox(Path(settings.outbox), settings.outbox_max_bytes, meter))
        position = _position(outbox, f"{server.url} {wanted.match}".strip(), since_ms)
        link = LogLink(open_log, outbox)
        partitions = link.reach(settings, stop)
        if partitions is None:
            return Imported(False, 0, position.since_ms, position.next_ms)
        history = History(client, wanted, outbox, partitions, settings.outbox_max_bytes, meter, position, progress)
        with sending(outbox, link, settings, meter, stop) as until:
            end_ms = now_ms() - (round(wanted.lag_s * 1000) if follow else 0)
            history.run(end_ms, until)
            if follow:
                _follow(history, wanted, meter, until, now_ms)
            while len(outbox) and not until.is_set():
                until.wait(_DRAIN_WAIT_S)
        position = history.position
        complete = position.next_ms >= end_ms and not len(outbox)
        return Imported(complete, history.rows, position.since_ms, position.next_ms)


def _follow(
    history: History,
    wanted: ImportSettings,
    meter: Meter,
    stop: Stop,
    now_ms: Callable[[], int],
) -> None:
    """Bring what is new until stopped. A server that is away is asked again; nothing is missed meanwhile."""
    while not stop.is_set():
        try:
            history.run(now_ms() - round(wanted.lag_s * 1000), stop)
        except SourceError as error:
            meter.count("sizewise_collector_source_errors_total", source=SOURCE)
            _LOGGER.warning("the history cannot be followed now: %s", error)
        stop.wait(wanted.follow_interval_s)


def _position(outbox: Outbox, what: str, since_ms: int) -> Position:
    """Where to go on. Raises OutboxError when the outbox belongs to another import."""
    saved = outbox.state(STATE)
    if saved is None:
        return Position(what, since_ms, since_ms)
    position = msgspec.json.decode(saved, type=Position)
    if position.what != what:
        raise OutboxError(
            f"the outbox is of the import from {position.what!r}, not {what!r}; name another with collector.outbox"
        )
    return position
