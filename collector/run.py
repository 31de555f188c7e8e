"""The collector's ways to run, each until told to stop: into the log, into a recording, or both."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from collector.host.files import raise_descriptor_limit
from collector.outbox import Outbox
from collector.recording import Recording, RecordingSink
from collector.replay import Pace, Replay
from collector.sender import Sender
from collector.service import Collector, OutboxSink, Sink, Tee, moment
from collector.settings import CollectorSettings
from collector.source import Source, Stop
from collector.sources import machine_sources
from models.metrics import Meter
from stream.contract import EventLog, LogUnavailableError, Writer
from stream.streams import TELEMETRY

_LOGGER = logging.getLogger(__name__)

OpenLog = Callable[[], EventLog]
"""Opens the log and makes sure its streams exist; raises LogUnavailableError when it cannot be reached now. Called
until it succeeds once. The caller closes what it opened."""


class LogLink:
    """The log as the collector needs it: opened when it can be, its number of partitions remembered in the outbox."""

    def __init__(self, open_log: OpenLog, outbox: Outbox) -> None:
        self._open_log, self._outbox = open_log, outbox
        self._lock = threading.Lock()
        self._log: EventLog | None = None

    def writer(self) -> Writer:
        """A new writer. Raises LogError when the log cannot be reached."""
        with self._lock:
            if self._log is None:
                self._log = self._open_log()
                self._outbox.set_fact("partitions", str(self._log.partitions(TELEMETRY)))
            return self._log.writer()

    def partitions(self) -> int | None:
        """Partitions of the telemetry stream when the log was last reached; None: it never was."""
        known = self._outbox.fact("partitions")
        return None if known is None else int(known)

    def reach(self, settings: CollectorSettings, stop: threading.Event) -> int | None:
        """Wait for the log if it was never reached before: without the number of partitions no row has an address.
        None when stopped meanwhile."""
        pause_s = settings.send_backoff_s
        while (known := self.partitions()) is None and not stop.is_set():
            try:
                self.writer().close()
            except LogUnavailableError as error:
                _LOGGER.warning("nothing is collected until the log is reached for the first time: %s", error)
                stop.wait(pause_s)
                pause_s = min(pause_s * 2, settings.send_backoff_max_s)
        return known


def collect(
    open_log: OpenLog,
    settings: CollectorSettings,
    meter: Meter,
    stop: threading.Event,
    *,
    recording: Path | None = None,
    sources: Sequence[Source] | None = None,
    pushed: Callable[[Outbox], Source] | None = None,
) -> None:
    """Collect into the log until stopped; `recording` gets a copy. `sources` None: this machine's. `pushed` opens one
    more, which looks at the outbox to push back when it is full.

    Raises OutboxError, RecordingError, SourceError at the start; LogError when the log refuses for good.
    """
    raise_descriptor_limit()
    with ExitStack() as stack:
        outbox = stack.enter_context(Outbox(Path(settings.outbox), settings.outbox_max_bytes, meter))
        link = LogLink(open_log, outbox)
        if link.reach(settings, stop) is None:
            return
        sink: Sink = OutboxSink(outbox, lambda: link.partitions() or 1)
        if recording is not None:
            sink = Tee(sink, stack.enter_context(RecordingSink(recording)))
        chosen = list(machine_sources(settings, meter) if sources is None else sources)
        if pushed is not None:
            chosen.append(pushed(outbox))
            stack.callback(chosen[-1].close)  # its server must not outlive a failure before the end of `run`
        collector = Collector(chosen, sink, settings, meter, wait=stop.wait)
        collector.restore(outbox.state)
        with sending(outbox, link, settings, meter, stop) as until:
            collector.run(until)


def record(
    file: Path,
    settings: CollectorSettings,
    meter: Meter,
    stop: threading.Event,
    *,
    sources: Sequence[Source] | None = None,
) -> None:
    """Collect into a recording alone until stopped. Raises RecordingError, SourceError."""
    raise_descriptor_limit()
    with RecordingSink(file) as sink:
        Collector(sources or machine_sources(settings, meter), sink, settings, meter, wait=stop.wait).run(stop)


def replay(
    file: Path,
    open_log: OpenLog,
    settings: CollectorSettings,
    meter: Meter,
    stop: threading.Event,
    *,
    pace: Pace = Pace(),  # noqa: B008  # frozen: sharing it is safe
    again: bool = False,
    producer: str | None = None,
) -> bool:
    """Play a recording into the log. True when all of it is in the log; False when stopped before.

    The outbox remembers how far it is, so a replay that was killed goes on there; one that was played to its end is
    not played again unless `again` says so. `producer` names the producer of a new outbox, for messages that are the
    same in every run.
    Raises RecordingError, OutboxError, LogError.
    """
    with ExitStack() as stack:
        recording = stack.enter_context(Recording(file))
        outbox = stack.enter_context(Outbox(Path(settings.outbox), settings.outbox_max_bytes, meter, producer))
        link = LogLink(open_log, outbox)
        partitions = link.reach(settings, stop)
        if partitions is None:
            return False
        player = Replay(recording, outbox, partitions, pace, settings.outbox_max_bytes, moment, again=again)
        with sending(outbox, link, settings, meter, stop) as until:
            done = player.run(until)
            while done and len(outbox) and not until.is_set():
                until.wait(0.05)
        return done and len(outbox) == 0


class SenderFailedError(Exception):
    """The sender died of something it does not expect; what it was is the cause."""


class _Until:
    """A stop that is also set when the sender died: collecting into an outbox that nobody empties helps nobody."""

    def __init__(self, stop: threading.Event, failures: list[BaseException]) -> None:
        self._stop, self._failures = stop, failures
        self.wait = stop.wait

    def is_set(self) -> bool:
        return self._stop.is_set() or bool(self._failures)


@contextmanager
def sending(
    outbox: Outbox, link: LogLink, settings: CollectorSettings, meter: Meter, stop: threading.Event
) -> Iterator[Stop]:
    """A sender in a thread of its own for as long as the block runs; at its end what is left is sent.

    Yields what the block must stop at. Raises SenderFailedError when the sender died.
    """
    ended, failures = threading.Event(), list[BaseException]()
    sender = Sender(outbox, link.writer, settings, meter, wait=ended.wait)

    def work() -> None:
        try:
            sender.run(ended)
        except Exception as error:  # handed to the thread that waits for this one
            failures.append(error)

    thread = threading.Thread(target=work, name="sender")
    thread.start()
    try:
        yield _Until(stop, failures)
    finally:
        ended.set()
        outbox.arrived.set()
        thread.join()
    if failures:
        raise SenderFailedError(f"the sender died: {failures[0]!r}") from failures[0]
