"""The profiler as a stage: telemetry in, profiles out, several of them sharing the partitions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event

from models.metrics import Meter
from profiler.partition import Partition
from profiler.settings import ProfilerSettings
from profiler.slabs import restore
from profiler.taught import read_model
from stream.consume import Consumer, ConsumeSettings, Rejection
from stream.contract import EventLog, Message, Record
from stream.dead_letters import dead_letter
from stream.read_all import read_all
from stream.streams import DEAD_LETTERS, PROFILES, TELEMETRY

_log = logging.getLogger(__name__)


class ProfileStage:
    """The profiler's side of the consume loop: one `Partition` per partition owned."""

    name = "profiler"
    stream = TELEMETRY

    def __init__(self, log: EventLog, settings: ProfilerSettings, meter: Meter, now: Callable[[], float]) -> None:
        self.group = settings.group
        self._event_log = log
        self._settings = settings
        self._meter = meter
        self._now = now
        self._infer = read_model(settings.bottleneck_model)
        self._partitions: dict[int, Partition] = {}

    def assigned(self, partition: int) -> int | None:
        restored = restore(read_all(self._event_log, PROFILES, partition))
        _log.info("partition %d: %d workloads restored", partition, len(restored.profiles))
        self._partitions[partition] = Partition(partition, restored, self._settings, self._meter, self._infer)
        return restored.next_offset

    def dropped(self, partition: int) -> None:
        del self._partitions[partition]

    def process(self, record: Record) -> Sequence[Rejection]:
        partition = self._partitions[record.partition]
        partition.take(record, self._now_ms())
        return partition.take_rejected()

    def checkpoint(self, offsets: Mapping[int, int]) -> Mapping[str, Sequence[Message]]:
        profiles: list[Message] = []
        letters: list[Message] = []
        for number, next_offset in offsets.items():
            partition = self._partitions[number]
            profiles.extend(partition.checkpoint(next_offset, self._now_ms()))
            letters.extend(self._letters(partition))
        workloads = sum(len(partition.profiles) for partition in self._partitions.values())
        self._meter.gauge("sizewise_profiler_workloads", workloads)
        return {PROFILES: profiles, DEAD_LETTERS: letters}

    def _letters(self, partition: Partition) -> Iterator[Message]:
        """What was found late, or unreadable, since the last message was processed."""
        for record, error in partition.take_rejected():
            self._meter.count("sizewise_stage_dead_letters_total", stage=self.name, reason=error.reason.value)
            yield dead_letter(record, error)

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


class Profiler:
    """Runs until stopped. `now` is the time in seconds since 1970."""

    def __init__(self, log: EventLog, settings: ProfilerSettings, meter: Meter, now: Callable[[], float]) -> None:
        consume = ConsumeSettings(commit_interval_s=settings.commit_interval_s)
        self._consumer = Consumer(log, ProfileStage(log, settings, meter, now), consume, meter, now)

    def run(self, stop: Event) -> None:
        """Profile until `stop` is set, then commit and leave the group."""
        self._consumer.run(stop)
