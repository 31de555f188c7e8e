"""One partition of telemetry and its profiles: messages in, slabs and cover out. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.metrics import Meter
from models.profile import CPU_FIELDS, GPU_FIELDS
from profiler import gpu_absorb, gpu_windows, summary
from profiler.absorb import absorb
from profiler.decay import DAY_MS
from profiler.gather import gather
from profiler.judge import Infer
from profiler.profiles import SLAB, Indices, Profiles
from profiler.settings import ProfilerSettings
from profiler.slabs import Cover, Restored, cover_message, slab_message
from stream.consume import Rejection
from stream.contract import Message, Record
from stream.dead_letters import BadMessageError, Reason
from stream.telemetry_decoder import ANCIENT_MS, FUTURE_MS, TelemetryFrame, decode_telemetry

_DELAY_DAYS = 2
"""A row is freed this much later than its workload counts as forgotten: telemetry that a producer buffered while the
log was away must find the row as it would have been without the delay."""


class Partition:
    """Profiles of one partition, what was taken of each producer, and messages that wait to be absorbed together."""

    def __init__(
        self, number: int, restored: Restored, settings: ProfilerSettings, meter: Meter, infer: Infer | None = None
    ) -> None:
        self._number = number
        self._settings = settings
        self._meter = meter
        self._infer = infer
        self._sequences = restored.sequences
        self._covered = restored.next_offset
        self._waiting: list[tuple[Record, TelemetryFrame]] = []
        self._waiting_rows = 0
        self._rejected: list[Rejection] = restored.bad
        self.profiles: Profiles = restored.profiles

    def take(self, record: Record, now_ms: int) -> None:
        """Take a telemetry message in. Raises BadMessageError when it cannot be used at all.

        Rows are held against the time at which their message was written, so that a later reading decides the same;
        `now_ms` only guards against messages that claim to be written at another time than now."""
        written_ms = _written(record, now_ms)
        producer, sequence = self._sequences.check(record)
        frame = decode_telemetry(record, written_ms)
        self._sequences.take(producer, sequence, written_ms)
        self._rejected.extend((record, error) for error in frame.errors())
        self._meter.count("sizewise_profiler_rows_total", len(frame))
        if len(frame):
            self._waiting.append((record, frame))
            self._waiting_rows += len(frame)
            if self._waiting_rows >= self._settings.batch_rows:
                self.settle()

    def settle(self) -> None:
        """Absorb what waits."""
        if not self._waiting:
            return
        waiting, self._waiting, self._waiting_rows = self._waiting, [], 0
        records = [record for record, _ in waiting]
        frames = [
            (number, self.profiles.slots_of(frame.workload.names), frame) for number, (_, frame) in enumerate(waiting)
        ]
        forget = self._settings.forget_after_days
        if cpu := [frame for frame in frames if frame[2].kind == "cpu"]:
            rows = gather(cpu)
            self._reject_late(records, rows.message[absorb(self.profiles, rows, forget)])
            self._meter.count("sizewise_profiler_samples_total", rows.samples())
        if gpu := [frame for frame in frames if frame[2].kind == "gpu"]:
            gpu_rows = gpu_windows.gather(gpu)
            self._reject_late(
                records, gpu_rows.message[gpu_absorb.absorb(self.profiles, gpu_rows, forget, self._infer)]
            )
            self._meter.count("sizewise_profiler_samples_total", gpu_rows.samples())

    def _reject_late(self, records: Sequence[Record], messages: Indices) -> None:
        for message, count in zip(*np.unique(messages, return_counts=True), strict=True):
            error = BadMessageError(Reason.LATE, f"{count} rows are over an hour older than their workload's newest")
            self._rejected.append((records[message], error))

    def take_rejected(self) -> list[Rejection]:
        """Messages of which rows were left out since the last call, for the dead letters."""
        rejected, self._rejected = self._rejected, []
        return rejected

    def checkpoint(self, next_offset: int, time_ms: int) -> list[Message]:
        """The slabs that changed and the cover; nothing when no telemetry came since the last one."""
        self.settle()
        if next_offset == self._covered:
            return []
        self._forget()
        messages = []
        for index in self.profiles.take_dirty():
            summary.write(self.profiles, slice(index * SLAB, min((index + 1) * SLAB, len(self.profiles.names))))
            messages.append(slab_message(self.profiles, index, self._number, time_ms))
        cover = Cover(next_offset, self._sequences.snapshot())
        self._covered = next_offset
        return [*messages, cover_message(cover, self._number, time_ms)]

    def _forget(self) -> None:
        """Clear what the next message of its kind would clear anyway, a bounded number of rows at a time, and free rows
        of which nothing is left. CPU and GPU fields go by their own clocks, as in `absorb` and `gpu_absorb`."""
        used = slice(0, len(self.profiles.names))
        clocks = self.profiles["last_seen_ms"][used], self.profiles["gpu_last_seen_ms"][used]
        newest = max((int(clock.max(initial=0)) for clock in clocks), default=0)
        oldest = newest - (self._settings.forget_after_days + _DELAY_DAYS) * DAY_MS
        gone = [
            np.flatnonzero((clock < oldest) & (clock > 0))[: self._settings.max_forget_per_commit] for clock in clocks
        ]
        for slots, fields in zip(gone, (CPU_FIELDS, GPU_FIELDS), strict=True):
            if len(slots):
                self.profiles.clear(slots, fields)
                self.profiles.touch(slots)
        cleared = np.union1d(*gone)
        nothing_left = (self.profiles["last_seen_ms"][cleared] == 0) & (self.profiles["gpu_last_seen_ms"][cleared] == 0)
        if nothing_left.any():
            self.profiles.forget(cleared[nothing_left])
        self._sequences.forget_before(oldest)


def _written(record: Record, now_ms: int) -> int:
    """When the message was written. Raises BadMessageError when that is a time at which it cannot have been."""
    if not record.time_ms:
        return now_ms
    if record.time_ms > now_ms + FUTURE_MS:
        raise BadMessageError(Reason.FUTURE, f"written at {record.time_ms} ms; it is {now_ms} ms now")
    if record.time_ms < now_ms - ANCIENT_MS:
        raise BadMessageError(Reason.ANCIENT, f"written at {record.time_ms} ms; it is {now_ms} ms now")
    return record.time_ms
