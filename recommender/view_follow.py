"""Keeps a view up to date with the log: one thread, its own readers, no group."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from models.columns import Columns
from models.events import WorkloadEvent
from models.inventory import Node
from models.metrics import Meter
from models.profile import PROFILE_FIELDS
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.changes import ChangeTracker
from recommender.view import SUMMARY_FIELDS, Row, Slab, SlabKey, Snapshot, View, join, slab_order
from recommender.view_settings import ViewSettings
from stream import schemas
from stream.columns_codec import decode_columns
from stream.contract import EventLog, LogUnavailableError, Reader, Record
from stream.dead_letters import BadMessageError, Reason
from stream.json_codec import decode_json
from stream.streams import EVENTS, INVENTORY, PROFILES, RECOMMENDATIONS

STAGE = "serve"
_POLL_S = 0.05
_SUMMARY = frozenset(field.name for field in SUMMARY_FIELDS)
_log = logging.getLogger(__name__)


def profile_of(row: Row) -> Columns | None:
    """The whole profile of one workload, unpacked from its slab now (1-2 ms); None when it was not read yet."""
    packed = row.slab.packed_of(row.index)
    if packed is None:
        return None
    slab = decode_columns(packed, PROFILE_FIELDS)
    places = [place for place, workload in enumerate(slab.workloads) if workload == row.id]
    return Columns(slab.table, [row.id], {k: v[places[:1]] for k, v in slab.arrays.items()}) if places else None


@dataclass(slots=True)
class _Half:
    """What was read of one slab so far."""

    profiles: Columns | None = None
    packed: bytes | None = None
    recommendations: Columns | None = None

    def join(self) -> Slab:
        return join(self.profiles, self.packed, self.recommendations)


class Contents:
    """What the messages read so far add up to; `snapshot` freezes it. Used by one thread."""

    def __init__(self, events_kept: int, meter: Meter) -> None:
        self._meter = meter
        self._halves: dict[SlabKey, _Half] = {}
        self._slabs: dict[SlabKey, Slab] = {}
        self._changed: set[SlabKey] = set()
        self._nodes: dict[str, Node] = {}
        self._events: deque[WorkloadEvent] = deque(maxlen=events_kept)
        self._newest_ms = 0
        self._tracker = ChangeTracker()
        self._apply: Mapping[str, Callable[[Record], None]] = {
            schemas.PROFILE: self._profile,
            schemas.RECOMMENDATION: self._recommendation,
            schemas.NODE: self._node,
            schemas.EVENT: self._event,
        }

    def opened(self, recommendations: Mapping[int, int]) -> None:
        """The log is read from here on without a pause; what was removed before these offsets may not have been seen."""
        self._tracker.opened(recommendations)

    def caught_up(self) -> None:
        """The recommendations of the log as it was opened have been read."""
        self._tracker.caught_up()

    def absorb(self, records: Sequence[Record]) -> None:
        """A message that cannot be read is counted and skipped: the one before it for the same key stays."""
        for record in records:
            self._newest_ms = max(self._newest_ms, record.time_ms)
            try:
                self._one(record)
            except BadMessageError as error:
                self._meter.count("sizewise_stage_dead_letters_total", stage=STAGE, reason=error.reason)
                _log.warning("%s/%d offset %d: %s", record.stream, record.partition, record.offset, error)

    def snapshot(self) -> Snapshot:
        for key in self._changed:
            half = self._halves[key]
            if half.profiles is None and half.recommendations is None:
                self._halves.pop(key)
                self._slabs.pop(key, None)
            else:
                self._slabs[key] = half.join()
        self._changed.clear()
        slabs = {key: self._slabs[key] for key in sorted(self._slabs, key=slab_order)}
        return Snapshot(slabs, dict(self._nodes), tuple(self._events), self._newest_ms, self._tracker.freeze())

    def _one(self, record: Record) -> None:
        if record.value is None:
            self._remove(record)
        elif apply := self._apply.get(record.headers.get(schemas.SCHEMA, "")):
            apply(record)

    def _half(self, record: Record) -> _Half:
        key = (record.partition, record.key)
        self._changed.add(key)
        return self._halves.setdefault(key, _Half())

    def _profile(self, record: Record) -> None:
        read = decode_columns(record.value, PROFILE_FIELDS, only=_SUMMARY)
        half = self._half(record)
        half.profiles, half.packed = _own(read), record.value

    def _recommendation(self, record: Record) -> None:
        read = decode_columns(record.value, RECOMMENDATION_FIELDS)
        self._half(record).recommendations = read
        self._tracker.take(record.partition, record.key, record.offset, read)

    def _node(self, record: Record) -> None:
        self._nodes[record.key] = decode_json(record.value, Node)

    def _event(self, record: Record) -> None:
        self._events.append(decode_json(record.value, WorkloadEvent))

    def _remove(self, record: Record) -> None:
        if record.stream == INVENTORY:
            self._nodes.pop(record.key, None)
        elif record.stream == PROFILES:
            half = self._half(record)
            half.profiles = half.packed = None
        elif record.stream == RECOMMENDATIONS:
            self._half(record).recommendations = None
            self._tracker.take(record.partition, record.key, record.offset, None)


class Follower:
    """Reads profiles, recommendations, inventory and events into `view` until told to stop."""

    def __init__(
        self, log: EventLog, view: View, settings: ViewSettings, meter: Meter, now: Callable[[], float]
    ) -> None:
        self._log, self._view, self._settings, self._meter, self._now = log, view, settings, meter, now
        self._contents = Contents(settings.events_kept, meter)
        self._next: dict[str, dict[int, int]] = {}
        self._published_s = 0.0
        self._dirty = False

    def run(self, stop: threading.Event) -> None:
        """A log that is away is asked again after a wait; the view keeps what it has and its age shows it."""
        for reason in Reason:  # there from the start, so that rate() sees the first
            self._meter.count("sizewise_stage_dead_letters_total", 0, stage=STAGE, reason=reason.value)
        self._view.ended = False
        try:
            self._until(stop)
        finally:
            self._view.ended = True

    def _until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._follow(stop)
            except LogUnavailableError as error:
                if self._view.missing:
                    self._view.missing = {"log": str(error)}
                _log.warning("the log is away, asking again: %s", error)
                stop.wait(self._settings.retry_backoff_ms / 1000)

    def _follow(self, stop: threading.Event) -> None:
        readers: dict[str, Reader] = {}
        try:
            self._contents.opened({p: end for p, (_, end) in self._log.offsets(RECOMMENDATIONS).items()})
            for stream in (INVENTORY, PROFILES, RECOMMENDATIONS, EVENTS):
                readers[stream] = self._log.reader(stream, self._start(stream))
            behind = True
            while not stop.is_set():
                fresh = [self._read(stream, reader) for stream, reader in readers.items()]
                if behind and readers[RECOMMENDATIONS].caught_up():
                    self._contents.caught_up()
                    behind, self._dirty = False, True
                self._publish(any(fresh), readers)
        finally:
            for reader in readers.values():
                reader.close()

    def _start(self, stream: str) -> Mapping[int, int]:
        """Where to go on; at first the beginning, but of events only the newest that the view can hold."""
        if stream not in self._next:
            kept = self._settings.events_kept if stream == EVENTS else None
            self._next[stream] = {
                partition: first if kept is None else max(first, end - kept)
                for partition, (first, end) in self._log.offsets(stream).items()
            }
        return self._next[stream]

    def _read(self, stream: str, reader: Reader) -> bool:
        records = reader.poll(_POLL_S)
        if records:
            self._contents.absorb(records)
            self._next[stream] |= {record.partition: record.offset + 1 for record in records}
            self._meter.count("sizewise_stage_records_total", len(records), stage=STAGE, stream=stream)
        return bool(records)

    def _publish(self, fresh: bool, readers: Mapping[str, Reader]) -> None:
        self._dirty |= fresh
        if self._dirty and self._now() - self._published_s >= self._settings.publish_interval_ms / 1000:
            snapshot = self._contents.snapshot()
            snapshot.prepare(self._view.by_namespace)
            self._view.snapshot = snapshot
            self._published_s, self._dirty = self._now(), False
            self._meter.gauge("sizewise_view_workloads", len(snapshot))
        if not self._dirty and self._view.missing:
            self._view.missing = {s: "not read to its end yet" for s, r in readers.items() if not r.caught_up()}
        if newest := self._view.snapshot.newest_ms:
            self._meter.gauge("sizewise_view_age_seconds", max(0.0, self._now() - newest / 1000))


def _own(columns: Columns) -> Columns:
    """Copied off the message, whose unpacked form (2 MB) would stay in memory with them."""
    return Columns(columns.table, columns.workloads, {name: array.copy() for name, array in columns.arrays.items()})
