"""The recommender as a stage: profiles in, recommendations out, several of them sharing the partitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event

import numpy as np

from models.columns import Columns
from models.events import WorkloadEvent
from models.metrics import Meter
from models.reasons import Action
from recommender.events_beside import EventsBeside
from recommender.kept import fleets, kept_of, others_of
from recommender.settings import RecommenderSettings
from recommender.sizing.policy_columns import PolicyTable
from recommender.slabs import Place, Slabs
from stream import schemas
from stream.consume import Consumer
from stream.contract import EventLog, Message, Record
from stream.json_codec import encode_json
from stream.read_all import newest_by_key, newest_offsets, read_all
from stream.streams import EVENTS, FLEET, PROFILES, RECOMMENDATIONS, RECORDS

HEAR_INTERVAL_S = 600.0
"""How often other partitions are asked what they taught: 130 KB each, for days that are told apart by hours."""


class RecommendStage:
    """The recommender's side of the consume loop: the slabs of each partition owned.

    What comes between two commits is coalesced: of several versions of a slab the newest is decided.
    """

    name = "recommender"
    stream = PROFILES

    def __init__(self, log: EventLog, settings: RecommenderSettings, meter: Meter, now: Callable[[], float]) -> None:
        self.group = settings.group
        self._log = log
        self._policies = PolicyTable(settings.sizing, settings.overrides)
        self._meter = meter
        self._now = now
        self._partitions: dict[int, Slabs] = {}
        self._heard_s = now()
        self._events = EventsBeside(log)

    def assigned(self, partition: int) -> int | None:
        newest = newest_offsets(read_all(self._log, PROFILES, partition))
        own = newest_by_key(read_all(self._log, RECOMMENDATIONS, partition))
        place = Place(partition, self._log.partitions(PROFILES))
        kept = kept_of(partition, own, read_all(self._log, RECORDS, partition), read_all(self._log, FLEET, 0))
        self._partitions[partition] = slabs = Slabs(place, self._policies, newest, kept)
        self._events.assigned(partition)
        return slabs.next_offset

    def dropped(self, partition: int) -> None:
        del self._partitions[partition]
        self._events.dropped(partition)

    def process(self, record: Record) -> None:
        self._partitions[record.partition].take(record)

    def checkpoint(self, offsets: Mapping[int, int]) -> Mapping[str, Sequence[Message]]:
        self._hear_of_others()
        for partition, event in self._events.read():
            self._partitions[partition].heard.take(event)
        started = self._now()
        decisions = [decision for partition in offsets for decision in self._partitions[partition].decide()]
        if decisions:
            self._meter.observe("sizewise_recommender_decide_seconds", self._now() - started)
        for decision in decisions:
            if decision.recommendations is not None:
                self._count(decision.recommendations)
        out = {RECOMMENDATIONS: [decision.message for decision in decisions], RECORDS: [], FLEET: []}
        out[EVENTS] = [
            self._told(decision.message.partition, event) for decision in decisions for event in decision.outcomes
        ]
        for partition in offsets:
            for stream, messages in self._partitions[partition].kept().items():
                out[stream].extend(messages)
        return out

    def _hear_of_others(self) -> None:
        """What other partitions taught, at most once in HEAR_INTERVAL_S: it changes once a day."""
        if not self._partitions or self._now() - self._heard_s < HEAR_INTERVAL_S:
            return
        self._heard_s = self._now()
        taught = fleets(read_all(self._log, FLEET, 0))
        for partition, slabs in self._partitions.items():
            slabs.learning.others = others_of(partition, taught)

    def _told(self, partition: int | None, event: WorkloadEvent) -> Message:
        """An outcome, beside the recommendation that judges it: both are committed, or neither."""
        self._meter.count("sizewise_recommender_outcomes_total", result=event.details["result"])
        headers = {schemas.SCHEMA: schemas.EVENT}
        return Message(event.workload, encode_json(event), headers, event.time_ms, partition)

    def _count(self, recommendations: Columns) -> None:
        counts = np.bincount(recommendations["action"].ravel(), minlength=len(Action))
        for action in Action:
            if amount := int(counts[action]):
                self._meter.count("sizewise_recommender_recommendations_total", amount, action=action.name.lower())


class Recommender:
    """Runs until stopped. `now` is in seconds and measures durations only: no decision depends on it."""

    def __init__(self, log: EventLog, settings: RecommenderSettings, meter: Meter, now: Callable[[], float]) -> None:
        self._consumer = Consumer(log, RecommendStage(log, settings, meter, now), settings.consume, meter, now)

    def run(self, stop: Event) -> None:
        """Recommend until `stop` is set, then commit and leave the group."""
        self._consumer.run(stop)
