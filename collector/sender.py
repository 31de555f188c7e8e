"""Carries the outbox to the log: in order, confirmed before forgotten, patient while the log is away."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable

from collector.outbox import Outbox, OutboxError, Waiting, stamped
from collector.settings import CollectorSettings
from models.metrics import Meter
from stream.contract import LogError, LogUnavailableError, MessageTooLargeError, Writer

_LOGGER = logging.getLogger(__name__)

BATCH_MESSAGES = 200
BATCH_BYTES = 4 << 20
"""What is sent before a confirmation is awaited: after an outage 4 MiB at a time, and at most that is sent twice."""

_IDLE_S = 5.0
"""Wait for messages when none are left; a new one ends it."""


class Sender:
    """Runs in a thread of its own, because a log that is away must not delay the next read."""

    def __init__(
        self,
        outbox: Outbox,
        open_writer: Callable[[], Writer],
        settings: CollectorSettings,
        meter: Meter,
        wait: Callable[[float], object],
    ) -> None:
        """`open_writer` makes a writer, anew after each failure; `wait(seconds)` pauses and may return early."""
        self._outbox, self._open, self._settings, self._meter = outbox, open_writer, settings, meter
        self._wait = wait
        self._writer: Writer | None = None

    def run(self, stop: threading.Event) -> None:
        """Send until stopped, then once more what is left. Never raises for a log that is away."""
        failures = 0
        while not stop.is_set():
            self._outbox.arrived.clear()
            try:
                if not self.send():
                    self._outbox.arrived.wait(_IDLE_S)
                failures = 0
            except LogError as error:
                self._close()
                _LOGGER.warning("the log cannot take messages, %d wait in the outbox: %s", len(self._outbox), error)
                self._wait(self._backoff_s(failures))
                failures += 1
            except OutboxError as error:
                _LOGGER.error("%s", error)
                self._wait(self._settings.send_backoff_max_s)
        self.drain()

    def drain(self) -> bool:
        """Send what is left, without a second try. True when nothing is left."""
        try:
            while self.send():
                pass
        except (LogError, OutboxError) as error:
            _LOGGER.warning("%d messages stay in the outbox until the next start: %s", len(self._outbox), error)
        self._close()
        return len(self._outbox) == 0

    def send(self) -> int:
        """Send the oldest batch and forget it once it is durable. Returns its size in messages; 0: nothing waited.

        Raises LogError when it is not known to be durable: it stays, and goes out again with the same numbers.
        """
        batch = self._outbox.oldest(BATCH_MESSAGES, BATCH_BYTES)
        if not batch:
            return 0
        self._writer = self._writer or self._open()
        sent = [waiting for waiting in batch if self._appended(self._writer, waiting)]
        self._writer.flush(self._settings.send_timeout_s)
        self._outbox.confirm(batch[-1].sequence)
        for stream, count in Counter(waiting.stream for waiting in sent).items():
            self._meter.count("sizewise_outbox_sent_messages_total", count, stream=stream)
        return len(batch)

    def _appended(self, writer: Writer, waiting: Waiting) -> bool:
        try:
            writer.append(waiting.stream, [stamped(waiting, self._outbox.producer)])
        except MessageTooLargeError as error:
            _LOGGER.error("dropped message %d: %s", waiting.sequence, error)
            self._outbox.discard(waiting.sequence)
            return False
        return True

    def _backoff_s(self, failures: int) -> float:
        return min(self._settings.send_backoff_s * 2.0 ** min(failures, 20), self._settings.send_backoff_max_s)

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.close()
        except LogUnavailableError as error:
            _LOGGER.debug("closing the writer: %s", error)
