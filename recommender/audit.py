"""The audit trail: entries wait in a bounded queue, and a thread of its own writes them to the log.

Whoever reports is never held up and never fails: not by a log that is away, not by a full queue. What is lost is counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from queue import Empty, Full, Queue

from models.audit import AuditEntry
from models.metrics import Meter
from stream import schemas
from stream.contract import EventLog, LogError, LogUnavailableError, Message, Writer
from stream.json_codec import encode_json
from stream.streams import AUDIT

_QUEUE = 10_000
"""About 5 MB of entries: ten seconds of 1,000 changes a second while the log is away."""
_BATCH = 2000
_WAIT_S = 0.25
_LINGER_S = 0.2
"""After the first entry came, so that those of a busy moment share one commit: at 2,000 changes a second a commit for each
few of them took a third of the webhook's processor time."""
_RETRY_S = 1.0
_FLUSH_S = 10.0
_MAX_CHARS = 500
_MAX_DETAILS = 32
_log = logging.getLogger(__name__)


class AuditTrail:
    """`write` from any thread or event loop; `run` in one thread."""

    def __init__(self, meter: Meter, queue_entries: int = _QUEUE) -> None:
        self._meter = meter
        self._queue: Queue[AuditEntry] = Queue(queue_entries)

    def write(self, entry: AuditEntry) -> None:
        """Queue an entry; microseconds. Denials may fill only half of the queue, so that a flood of them, which anybody
        can cause, never pushes out what was applied."""
        try:
            if entry.decision == "denied" and self._queue.qsize() >= self._queue.maxsize // 2:
                raise Full
            self._queue.put_nowait(entry)
        except Full:
            self._meter.count("sizewise_audit_dropped_entries_total", decision=entry.decision)
        else:
            self._meter.count("sizewise_audit_entries_total", decision=entry.decision)

    def run(self, log: EventLog, stop: threading.Event) -> None:
        """Write what comes until `stop`, then what is left, once. Raises LogError but for a log that is away."""
        writer = log.writer()
        try:
            while not stop.is_set():
                if batch := self._next():
                    self._deliver(writer, batch, stop)
            self._finish(writer, stop)
        finally:
            writer.close()

    def _finish(self, writer: Writer, stop: threading.Event) -> None:
        """What is left, once. A log that is away is asked once and not again for each batch: who stops us waits."""
        there = True
        while batch := self._next(wait_s=0):
            if there:
                there = self._deliver(writer, batch, stop)
            else:
                self._lose(batch)

    def _next(self, wait_s: float = _WAIT_S) -> Sequence[AuditEntry]:
        batch: list[AuditEntry] = []
        try:
            batch.append(self._queue.get(timeout=wait_s) if wait_s else self._queue.get_nowait())
            if wait_s:
                time.sleep(_LINGER_S)
            while len(batch) < _BATCH:
                batch.append(self._queue.get_nowait())
        except Empty:
            pass
        return batch

    def _deliver(self, writer: Writer, batch: Sequence[AuditEntry], stop: threading.Event) -> bool:
        """Whether it is written. Again and again while the log is away; after `stop` no more, and it is counted as dropped."""
        while True:
            try:
                writer.append(AUDIT, [message_of(entry) for entry in batch])
                writer.flush(_FLUSH_S)
                return True
            except LogUnavailableError as error:
                _log.warning("audit entries wait, the log is away: %s", error)
            except LogError:
                self._lose(batch)
                raise
            if stop.wait(_RETRY_S):
                self._lose(batch)
                return False

    def _lose(self, batch: Sequence[AuditEntry]) -> None:
        for entry in batch:
            self._meter.count("sizewise_audit_dropped_entries_total", decision=entry.decision)


def message_of(entry: AuditEntry) -> Message:
    """One entry as the log keeps it. Its texts come from requests: they are cut, so that none is refused for its size."""
    short = replace(
        entry,
        who=_clean(entry.who),
        verb=_clean(entry.verb),
        reason=_clean(entry.reason),
        object=_clean(entry.object),
        namespace=_clean(entry.namespace),
        details={_clean(k): _clean(v) for k, v in list(entry.details.items())[:_MAX_DETAILS]},
        request_id=_clean(entry.request_id),
    )
    return Message(short.namespace or short.who, encode_json(short), {schemas.SCHEMA: schemas.AUDIT}, short.time_ms, 0)


def _clean(text: str) -> str:
    """Text that any log can carry as UTF-8: a request may bring lone surrogates."""
    return text[:_MAX_CHARS].encode("utf-8", "replace").decode()
