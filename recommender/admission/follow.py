"""Keeps the book up to date with the log: one thread, its own readers, no group."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from models.metrics import Meter
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.admission.book import READ, SizeBook
from stream import schemas
from stream.columns_codec import decode_columns
from stream.contract import EventLog, LogUnavailableError, Reader, Record
from stream.dead_letters import BadMessageError
from stream.streams import RECOMMENDATIONS

STAGE = "webhook"
_POLL_S = 0.05
_RETRY_S = 1.0
_READ = frozenset(READ)
_log = logging.getLogger(__name__)


class BookFollower:
    """Reads recommendations into `book` until told to stop. `loaded` is called once, when the log was read to its end."""

    def __init__(
        self, log: EventLog, book: SizeBook, meter: Meter, now_s: Callable[[], float], loaded: Callable[[], None]
    ) -> None:
        self._log, self._book, self._meter, self._now_s, self._loaded = log, book, meter, now_s, loaded
        self._next: dict[int, int] = {}
        self._complete = False
        self._newest_ms = 0

    def run(self, stop: threading.Event) -> None:
        """A log that is away is asked again; the book keeps what it has, and its age shows it."""
        while not stop.is_set():
            try:
                self._follow(stop)
            except LogUnavailableError as error:
                _log.warning("the log is away, asking again: %s", error)
                stop.wait(_RETRY_S)

    def _follow(self, stop: threading.Event) -> None:
        beginning = {partition: first for partition, (first, _) in self._log.offsets(RECOMMENDATIONS).items()}
        reader = self._log.reader(RECOMMENDATIONS, beginning | self._next)
        try:
            while not stop.is_set():
                self._absorb(reader.poll(_POLL_S))
                self._tell(reader)
        finally:
            reader.close()

    def _absorb(self, records: Sequence[Record]) -> None:
        newest = {(record.partition, record.key): record for record in records}  # a repeat in one batch is not decoded
        for record in newest.values():
            try:
                self._one(record)
            except BadMessageError as error:
                self._meter.count("sizewise_stage_dead_letters_total", stage=STAGE, reason=error.reason)
                _log.warning("%s/%d offset %d: %s", record.stream, record.partition, record.offset, error)
        for record in records:
            self._next[record.partition] = record.offset + 1
            self._newest_ms = max(self._newest_ms, record.time_ms)
        if records:
            self._meter.count("sizewise_stage_records_total", len(records), stage=STAGE, stream=RECOMMENDATIONS)

    def _one(self, record: Record) -> None:
        key = (record.partition, record.key)
        if record.value is None:
            self._book.drop(key)
        elif record.headers.get(schemas.SCHEMA, "") == schemas.RECOMMENDATION:
            self._book.put(key, decode_columns(record.value, RECOMMENDATION_FIELDS, only=_READ))

    def _tell(self, reader: Reader) -> None:
        if not self._complete and reader.caught_up():
            self._complete = True
            self._loaded()
        self._meter.gauge("sizewise_view_workloads", len(self._book))
        if self._newest_ms:
            self._meter.gauge("sizewise_view_age_seconds", max(0.0, self._now_s() - self._newest_ms / 1000))
