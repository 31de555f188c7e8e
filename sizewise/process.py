"""One process with a role: its logging, signals, log, metrics and supervised stage."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from sizewise.exits import NO_DATA, Exit
from sizewise.metrics import PrometheusMeter
from sizewise.output import printable
from sizewise.process_settings import ProcessSettings
from sizewise.settings import Settings
from sizewise.supervise import Stage, supervise
from stream.contract import EventLog, LogError, LogUnavailableError
from stream.open import open_log
from stream.settings import SQLITE, LogSettings
from stream.streams import stream_specs


class OneLine(logging.Formatter):
    """A message may name what came from elsewhere, as the path of a request: it makes no second line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        return printable(super().formatMessage(record))


def start_logging(settings: ProcessSettings) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    if settings.log_level != "debug":
        logging.getLogger("httpx2").setLevel(
            logging.WARNING
        )  # at info it writes a line for each request, of each watch


def stop_event() -> threading.Event:
    """Set by SIGTERM or Ctrl-C; a second Ctrl-C interrupts at once."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop


def stop_after(stop: threading.Event, seconds: float) -> None:
    """Set `stop` by itself after this long."""
    timer = threading.Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()


def open_with_streams(settings: LogSettings) -> EventLog:
    """The log, with every stream made."""
    if settings.location.startswith(SQLITE):
        settings.path.parent.mkdir(parents=True, exist_ok=True)
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        # it logs each attempt to connect, four lines a second; what comes of them is in our errors
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
    log = open_log(settings)
    try:
        log.ensure(stream_specs(settings.partitions_made))
    except LogError:
        log.close()
        raise
    return log


@contextmanager
def opened(settings: LogSettings) -> Iterator[EventLog]:
    """The log for the length of a block."""
    log = open_with_streams(settings)
    try:
        yield log
    finally:
        log.close()


@contextmanager
def opened_to_look(settings: LogSettings) -> Iterator[EventLog]:
    """The log for the length of a block that only reads. Looking for a file that is not there does not make it."""
    if settings.location.startswith(SQLITE) and not settings.path.exists():
        raise Exit(f"there is no log at {settings.path}; `sizewise up` makes one, --log names another", NO_DATA)
    with opened(settings) as log:
        yield log


class LazyLog:
    """The log, opened when it is first called for, from any thread; each call tries again while it is away."""

    def __init__(self, settings: LogSettings) -> None:
        self._settings, self._lock = settings, threading.Lock()
        self._log: EventLog | None = None

    def __call__(self) -> EventLog:
        with self._lock:
            self._log = self._log or open_with_streams(self._settings)
            return self._log

    def __enter__(self) -> LazyLog:
        return self

    def __exit__(self, *error: object) -> None:
        if self._log is not None:
            self._log.close()


def start_role(settings: Settings) -> tuple[PrometheusMeter, threading.Event]:
    """Logging, metrics and signals of a process with one role."""
    process: ProcessSettings = settings["process"]
    start_logging(process)
    meter = PrometheusMeter()
    if process.metrics_port:
        meter.listen(process)
    return meter, stop_event()


def run_role(name: str, settings: Settings, run: Callable[[EventLog, PrometheusMeter, threading.Event], None]) -> None:
    """Run one role until a signal. A log that is away is waited for; any other error ends the process."""
    meter, stop = start_role(settings)

    def session(stop: threading.Event) -> None:
        with opened(settings["log"]) as log:
            logging.getLogger(__name__).info("%s runs on %s", name, settings["log"].location)
            run(log, meter, stop)

    supervise(Stage(name, session, (LogUnavailableError,)), stop, settings["process"], meter, time.monotonic)
