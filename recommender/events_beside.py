"""The events of the partitions that a recommender owns, read beside its profiles."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from models.events import WorkloadEvent
from stream.contract import EventLog, Reader
from stream.dead_letters import BadMessageError
from stream.json_codec import decode_json
from stream.streams import EVENTS

_log = logging.getLogger(__name__)


class EventsBeside:
    """Not a group: who owns a profiles partition reads the events partition of the same number, from its first event on."""

    def __init__(self, log: EventLog) -> None:
        self._event_log = log
        self._next: dict[int, int] = {}
        self._reader: Reader | None = None

    def assigned(self, partition: int) -> None:
        """Begin with the oldest event that the log keeps."""
        self._next[partition] = self._event_log.offsets(EVENTS)[partition][0]
        self._close()

    def dropped(self, partition: int) -> None:
        self._next.pop(partition, None)
        self._close()

    def read(self) -> Iterator[tuple[int, WorkloadEvent]]:
        """What came since the last call, with its partition. One that cannot be read is left out, after a warning."""
        if not self._next:
            return
        if self._reader is None:
            self._reader = self._event_log.reader(EVENTS, self._next)
        while records := self._reader.poll(0.0):
            for record in records:
                self._next[record.partition] = record.offset + 1
                try:
                    yield record.partition, decode_json(record.value, WorkloadEvent)
                except BadMessageError as error:
                    _log.warning("%s/%d offset %d: %s", record.stream, record.partition, record.offset, error)

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
