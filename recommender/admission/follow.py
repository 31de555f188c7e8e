"""Keeps the book up to date with the log: one thread, its own readers, no group."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from models.inventory import Node
from models.metrics import Meter
from models.profile import PROFILE_FIELDS
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.admission.book import READ, SizeBook, SlabKey
from recommender.admission.slice_book import GPU_COLUMNS
from stream import schemas
from stream.columns_codec import decode_columns
from stream.contract import EventLog, LogUnavailableError, Reader, Record
from stream.dead_letters import BadMessageError
from stream.json_codec import decode_json
from stream.streams import INVENTORY, PROFILES, RECOMMENDATIONS

STAGE = "webhook"
_POLL_S = 0.05
_RETRY_S = 1.0
_PROFILES_EVERY_S = 600.0
_READ = frozenset(READ)
_log = logging.getLogger(__name__)


class BookFollower:
    """Reads recommendations into `book`, and profiles and nodes where it has slices, until told to stop. `loaded` is called
    once, when the recommendations were read to their end: a pod need not wait for the advice on GPUs."""

    def __init__(
        self, log: EventLog, book: SizeBook, meter: Meter, now_s: Callable[[], float], loaded: Callable[[], None]
    ) -> None:
        self._log, self._book, self._meter, self._now_s, self._loaded = log, book, meter, now_s, loaded
        self._streams = (RECOMMENDATIONS, INVENTORY, PROFILES) if book.slices else (RECOMMENDATIONS,)
        self._next: dict[str, dict[int, int]] = {}
        self._read_at_s: dict[SlabKey, float] = {}
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
        readers: dict[str, Reader] = {}
        try:
            for stream in self._streams:
                readers[stream] = self._log.reader(stream, self._start(stream))
            while not stop.is_set():
                for stream, reader in readers.items():
                    self._absorb(stream, reader.poll(_POLL_S), reader)
                self._tell(readers[RECOMMENDATIONS])
        finally:
            for reader in readers.values():
                reader.close()

    def _start(self, stream: str) -> Mapping[int, int]:
        """Where to go on; at first the beginning."""
        if stream not in self._next:
            offsets = self._log.offsets(stream)
            self._next[stream] = {partition: first for partition, (first, _) in offsets.items()}
        return self._next[stream]

    def _absorb(self, stream: str, records: Sequence[Record], reader: Reader) -> None:
        if not records:
            return
        newest = {(record.partition, record.key): record for record in records}  # a repeat in one batch is not decoded
        for key, record in newest.items():
            try:
                self._one(key, record, reader)
            except BadMessageError as error:
                self._meter.count("sizewise_stage_dead_letters_total", stage=STAGE, reason=error.reason)
                _log.warning("%s/%d offset %d: %s", record.stream, record.partition, record.offset, error)
        if stream == INVENTORY and self._book.slices:
            self._book.slices.settle()
        for record in records:
            self._next[stream][record.partition] = record.offset + 1
        if stream == RECOMMENDATIONS:
            self._newest_ms = max(self._newest_ms, *(record.time_ms for record in records))
        self._meter.count("sizewise_stage_records_total", len(records), stage=STAGE, stream=stream)

    def _one(self, key: SlabKey, record: Record, reader: Reader) -> None:
        schema = record.headers.get(schemas.SCHEMA, "")
        if record.stream == RECOMMENDATIONS:
            if record.value is None:
                self._book.drop(key)
            elif schema == schemas.RECOMMENDATION:
                self._book.put(key, decode_columns(record.value, RECOMMENDATION_FIELDS, only=_READ))
        elif slices := self._book.slices:
            if record.stream == INVENTORY:
                slices.put_node(record.key, decode_json(record.value, Node) if record.value is not None else None)
            elif record.value is None:
                slices.drop_profiles(key)
                self._read_at_s.pop(key, None)
            elif schema == schemas.PROFILE and self._due(key, reader):
                slices.put_profiles(key, decode_columns(record.value, PROFILE_FIELDS, only=GPU_COLUMNS))

    def _due(self, key: SlabKey, reader: Reader) -> bool:
        """Once the log was read, a slab of profiles is unpacked now and then: what a GPU does, its mean of days tells."""
        now_s = self._now_s()
        if reader.caught_up() and now_s - self._read_at_s.get(key, 0.0) < _PROFILES_EVERY_S:
            return False
        self._read_at_s[key] = now_s
        return True

    def _tell(self, reader: Reader) -> None:
        if not self._complete and reader.caught_up():
            self._complete = True
            self._loaded()
        self._meter.gauge("sizewise_view_workloads", len(self._book))
        if self._newest_ms:
            self._meter.gauge("sizewise_view_age_seconds", max(0.0, self._now_s() - self._newest_ms / 1000))
