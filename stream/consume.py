"""The consume loop of every stage: poll, process, dead-letter, commit; take partitions over and give them up.

Offsets, what a stage appends and dead letters go in one commit, all or nothing. Whatever goes wrong with the log, the
answer is the same: drop all state, leave the group, wait, join again and restore from what was committed. An unknown
outcome of a commit is harmless that way, because the committed state itself says what it covers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from models.metrics import Meter
from stream.contract import EventLog, FencedError, LogError, LogUnavailableError, Message, Record, Subscription
from stream.dead_letters import BadMessageError, Reason, dead_letter
from stream.streams import DEAD_LETTERS

_log = logging.getLogger(__name__)

MAX_DEAD_LETTER_BYTES = 4 << 20
"""Dead letters that wait for the next commit; over it the commit comes early, so that a flood of them stays bounded."""


Rejection = tuple[Record, BadMessageError]
"""A message of which at least a part cannot be used, and why."""


class Stage(Protocol):
    """What a stage does with a stream. All calls come from one thread."""

    name: str
    """Label of its metrics."""
    stream: str
    group: str

    def assigned(self, partition: int) -> int | None:
        """Restore the state of a partition. Returns the next offset that the state does not include; None: it has no
        state of its own, so go on from the group's committed offset, or from the start."""

    def dropped(self, partition: int) -> None:
        """Forget the state of a partition: another member has it, or it will be restored."""

    def process(self, record: Record) -> Sequence[Rejection] | None:
        """Take one message in. Raises BadMessageError when it cannot be used; then it must not have changed the state.

        Returns what of it, or of messages that waited, was left out; None when nothing was."""

    def checkpoint(self, offsets: Mapping[int, int]) -> Mapping[str, Sequence[Message]]:
        """What to append, by stream, so that with `offsets` (the next one per owned partition) the state is saved.
        Called every commit interval, also when nothing came. When the commit fails, `dropped` follows."""


@dataclass(frozen=True, slots=True)
class ConsumeSettings:
    commit_interval_s: float = 5.0
    """Age of results at most, and work to redo after a kill."""
    quiet_share: float = 0.25
    """Share of the interval after which a commit may come early: when a poll brought nothing, so that who imports a history
    or watches one machine need not wait for the clock, and commits take a quarter of the time at most."""
    poll_timeout_s: float = 0.25
    """How long a stop or a due commit may wait for a poll."""
    max_records: int = 250
    """Messages a poll: at about 30 KB each, 8 MB in hand; 250 MB if all are as large as telemetry may be."""
    back_off_s: float = 0.5
    """First wait after the log failed; doubles up to max_back_off_s."""
    max_back_off_s: float = 15.0
    """Longest such wait: after an outage of any length the work goes on within a quarter of a minute."""


class Consumer:
    """Runs one stage over the partitions that its group gives it. Also the `PartitionListener` of its subscription."""

    def __init__(
        self, log: EventLog, stage: Stage, settings: ConsumeSettings, meter: Meter, now: Callable[[], float]
    ) -> None:
        """`now` is in seconds; only differences are used."""
        self._event_log = log
        self._stage = stage
        self._settings = settings
        self._meter = meter
        self._now = now
        self._subscription: Subscription | None = None
        self._positions: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._dead: dict[int, list[Message]] = {}
        self._dead_bytes = 0
        self._commit_at = 0.0
        self._quiet_at = 0.0
        self._back_off_s = settings.back_off_s

    def run(self, stop: Event) -> None:
        """Consume until `stop` is set; then commit and leave the group. Errors other than the log's end it."""
        for reason in Reason:  # a counter that is not there until the first error hides that first one from rate()
            self._meter.count("sizewise_stage_dead_letters_total", 0, stage=self._stage.name, reason=reason.value)
        while not stop.is_set():
            try:
                self._session(stop)
            except (FencedError, LogUnavailableError) as error:
                _log.warning("%s: starting over in %.1f s: %s", self._stage.name, self._back_off_s, error)
                stop.wait(self._back_off_s)
                self._back_off_s = min(2 * self._back_off_s, self._settings.max_back_off_s)

    def _session(self, stop: Event) -> None:
        self._subscription = self._event_log.subscribe(self._stage.group, self._stage.stream, self)
        self._schedule(cost_s=0.0)
        try:
            while not stop.is_set():
                self.turn()
        except BaseException:
            self._drop(list(self._positions))  # so that closing commits nothing of a state that is in doubt
            raise
        finally:
            with suppress(LogError):
                self._subscription.close()
            self._drop(list(self._positions))
            self._subscription = None

    def turn(self) -> None:
        """One poll, and a commit when it is due."""
        records = self._live().poll(self._settings.poll_timeout_s, self._settings.max_records)
        for record in records:
            self._take(record)
        if records:
            self._meter.count(
                "sizewise_stage_records_total", len(records), stage=self._stage.name, stream=self._stage.stream
            )
        now = self._now()
        clock_went_back = self._commit_at - now > self._settings.commit_interval_s
        done = not records and now >= self._quiet_at and self._positions != self._committed
        if done or now >= self._commit_at or clock_went_back or self._dead_bytes > MAX_DEAD_LETTER_BYTES:
            self._commit()
            self._report_lag()

    def _take(self, record: Record) -> None:
        position = self._positions.get(record.partition)
        if position is None or record.offset < position:
            return  # of a partition that just went, or of before the restored state
        try:
            rejections = self._stage.process(record) or ()
        except BadMessageError as error:
            rejections = ((record, error),)
        for rejected, why in rejections:
            letter = dead_letter(rejected, why)
            self._dead.setdefault(record.partition, []).append(letter)
            self._dead_bytes += len(letter.value or b"")
            self._meter.count("sizewise_stage_dead_letters_total", stage=self._stage.name, reason=why.reason.value)
        self._positions[record.partition] = record.offset + 1

    def _commit(self) -> None:
        begun = self._now()
        offsets = dict(self._positions)
        appends = {stream: list(messages) for stream, messages in self._stage.checkpoint(offsets).items() if messages}
        if letters := [letter for waiting in self._dead.values() for letter in waiting]:
            appends.setdefault(DEAD_LETTERS, []).extend(letters)
        started = self._now()
        if appends or offsets != self._committed:
            self._live().commit(offsets, appends)
            self._meter.observe("sizewise_stage_commit_seconds", self._now() - started, stage=self._stage.name)
        self._committed = offsets
        self._dead.clear()
        self._dead_bytes = 0
        self._schedule(cost_s=self._now() - begun)
        self._back_off_s = self._settings.back_off_s

    def _schedule(self, cost_s: float) -> None:
        """When the next commit is due, and from when on it may come early. cost_s: of the one before."""
        now, interval_s = self._now(), self._settings.commit_interval_s
        self._commit_at = now + interval_s
        self._quiet_at = now + max(interval_s * self._settings.quiet_share, 3 * cost_s)

    def _report_lag(self) -> None:
        ends = self._event_log.offsets(self._stage.stream)
        lag = sum(max(0, ends[partition][1] - position) for partition, position in self._positions.items())
        self._meter.gauge("sizewise_stage_lag_messages", lag, stage=self._stage.name, stream=self._stage.stream)

    def _live(self) -> Subscription:
        assert self._subscription is not None, "only called between subscribe and close"
        return self._subscription

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Restore each partition and say where to go on: never before the first message that the log still has."""
        kept = self._event_log.offsets(self._stage.stream)
        own = {}
        for partition in partitions:
            own[partition] = self._stage.assigned(partition)
            self._positions[partition] = kept[partition][0]
        if None in own.values():
            committed = self._event_log.committed(self._stage.group, self._stage.stream)
            own = {at: committed.get(at) if offset is None else offset for at, offset in own.items()}
        starts = {at: max(kept[at][0], offset or 0) for at, offset in own.items()}
        self._positions.update(starts)
        self._committed.update(starts)
        self._meter.gauge("sizewise_stage_partitions", len(self._positions), stage=self._stage.name)
        return starts

    def revoked(self, partitions: Sequence[int]) -> None:
        """Save what is owned, while it is owned."""
        if any(partition in self._positions for partition in partitions):
            self._commit()
        self._drop(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        self._drop(partitions)

    def _drop(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            if self._positions.pop(partition, None) is not None:
                self._stage.dropped(partition)
            self._committed.pop(partition, None)
            for letter in self._dead.pop(partition, []):
                self._dead_bytes -= len(letter.value or b"")
        self._meter.gauge("sizewise_stage_partitions", len(self._positions), stage=self._stage.name)
