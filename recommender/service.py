"""The recommender as a stage: profiles in, recommendations out, several of them sharing the partitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event

import numpy as np

from models.columns import Columns
from models.metrics import Meter
from models.reasons import Action
from recommender.settings import RecommenderSettings
from recommender.sizing.policy_columns import PolicyTable
from recommender.slabs import Slabs
from stream.consume import Consumer
from stream.contract import EventLog, Message, Record
from stream.read_all import newest_by_key, newest_offsets, read_all
from stream.streams import PROFILES, RECOMMENDATIONS


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

    def assigned(self, partition: int) -> int | None:
        newest = newest_offsets(read_all(self._log, PROFILES, partition))
        own = newest_by_key(read_all(self._log, RECOMMENDATIONS, partition))
        self._partitions[partition] = slabs = Slabs(partition, self._policies, newest, own)
        return slabs.next_offset

    def dropped(self, partition: int) -> None:
        del self._partitions[partition]

    def process(self, record: Record) -> None:
        self._partitions[record.partition].take(record)

    def checkpoint(self, offsets: Mapping[int, int]) -> Mapping[str, Sequence[Message]]:
        started = self._now()
        decisions = [decision for partition in offsets for decision in self._partitions[partition].decide()]
        if decisions:
            self._meter.observe("sizewise_recommender_decide_seconds", self._now() - started)
        for decision in decisions:
            if decision.recommendations is not None:
                self._count(decision.recommendations)
        return {RECOMMENDATIONS: [decision.message for decision in decisions]}

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
