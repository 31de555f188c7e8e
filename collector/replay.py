"""Plays a recording into an outbox, at its own pace or faster.

The position is saved in the transaction that adds a flush, so a replay that was killed goes on with the next flush,
and nothing is doubled or left out. The messages of a flush depend on the recording, the shift and the number of
partitions alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from collector.outbox import Outbox
from collector.publisher import Flush, messages
from collector.recording import Recording, RecordingError
from collector.source import Moment, Stop
from models.events import WorkloadEvent
from models.inventory import Node
from models.telemetry import TelemetryBatch

_LOGGER = logging.getLogger(__name__)

STATE = "replay"
_FULL_SHARE = 0.5
"""A replay waits while the outbox is this full: as fast as the log takes it, and nothing is ever dropped."""
_WAIT_S = 0.05

Timed = TypeVar("Timed", WorkloadEvent, Node)


class Position(msgspec.Struct):
    """How far a replay is: the recording it plays, the last flush that is in the outbox, the last flush there is, and
    how times are shifted."""

    recording: str
    flush: int = 0
    end: int = 0
    shift_ms: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """speed: recorded seconds per second; None: as fast as the log takes them
    shift_to_now: move all times so that the newest flush is now (by the clock at the replay's first start)
    """

    speed: float | None = 1.0
    shift_to_now: bool = False

    def __post_init__(self) -> None:
        if self.speed is not None and not self.speed > 0:
            raise ValueError(f"speed is {self.speed}; it must be above 0, or max")


class Replay:
    """Plays one recording once."""

    def __init__(
        self,
        recording: Recording,
        outbox: Outbox,
        partitions: int,
        pace: Pace,
        max_bytes: int,
        now: Callable[[], Moment],
        *,
        again: bool = False,
    ) -> None:
        """`max_bytes` is the outbox's bound; `again` plays what was played to its end from the beginning.

        Raises RecordingError when the outbox is in the middle of another recording.
        """
        self._recording, self._outbox, self._partitions = recording, outbox, partitions
        self._pace, self._room, self._now = pace, round(max_bytes * _FULL_SHARE), now
        self._position = self._start(again=again)

    def run(self, stop: Stop) -> bool:
        """Play until the end or until stopped. True at the end."""
        todo = self._recording.times(self._position.flush)
        if not todo:
            _LOGGER.info("this recording was played to its end before; play it again with `again`")
        begin = self._now().steady_ms
        for number, time_ms in todo:
            due_ms = 0 if self._pace.speed is None else begin + (time_ms - todo[0][1]) / self._pace.speed
            if not self._wait_for(due_ms, stop):
                return False
            self._play(number)
        return True

    def _start(self, *, again: bool) -> Position:
        identity, end = self._recording.identity(), self._recording.newest()
        saved = self._outbox.state(STATE)
        position = msgspec.json.decode(saved, type=Position) if saved else Position(identity)
        if position.recording != identity:
            if position.flush < position.end:
                raise RecordingError(
                    f"the outbox is in the middle of another recording ({position.recording}): play that one to its "
                    "end, or name another outbox with collector.outbox"
                )
            position = Position(identity)
        if again and position.flush >= end:
            position = Position(identity)
        position = msgspec.structs.replace(position, end=end)
        if not position.flush and self._pace.shift_to_now:
            position.shift_ms = self._now().wall_ms - self._recording.span_ms()[1]
        return position

    def _wait_for(self, due_ms: float, stop: Stop) -> bool:
        """False when stopped before it was due or there was room."""
        while not stop.is_set():
            early_s = (due_ms - self._now().steady_ms) / 1000
            if early_s > 0:
                stop.wait(early_s)
            elif self._outbox.size_bytes > self._room:
                stop.wait(_WAIT_S)
            else:
                return True
        return False

    def _play(self, number: int) -> None:
        flush = shifted(self._recording.flush(number), self._position.shift_ms)
        position = msgspec.structs.replace(self._position, flush=number)
        out = messages(flush, self._outbox.producer, self._partitions)
        self._outbox.put(out, {STATE: msgspec.json.encode(position)})
        self._position = position


def shifted(flush: Flush, by_ms: int) -> Flush:
    """The flush with all its times moved."""
    if not by_ms:
        return flush
    return Flush(
        flush.time_ms + by_ms,
        [_rows(batch, by_ms) for batch in flush.batches],
        [_moved(event, by_ms) for event in flush.events],
        [_moved(node, by_ms) for node in flush.nodes],
    )


def _rows(batch: TelemetryBatch, by_ms: int) -> TelemetryBatch:
    return replace(batch, time_ms=[time_ms + by_ms for time_ms in batch.time_ms])


def _moved(timed: Timed, by_ms: int) -> Timed:
    return replace(timed, time_ms=timed.time_ms + by_ms)
