"""The streams as this process knows them: which topic, how many partitions, how large a message."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from stream.contract import LogError, StreamSpec
from stream.kafka_log.clients import CONNECT_TIMEOUT_S, Clients
from stream.kafka_log.errors import is_permanent, log_error
from stream.kafka_log.topics import (
    OVERHEAD_BYTES,
    Existing,
    check_topic,
    create_topics,
    existing_topics,
    raise_bounds,
    read_configs,
)
from stream.routing import check_spec

_T = TypeVar("_T")
_RETRY_S = 0.2


@dataclass(frozen=True, slots=True)
class Layout:
    """One stream in Kafka."""

    stream: str
    topic: str
    partitions: int
    max_message_bytes: int

    def partition(self, number: int) -> TopicPartition:
        return TopicPartition(self.topic, number)

    def all_partitions(self) -> list[TopicPartition]:
        return [self.partition(number) for number in range(self.partitions)]


class Catalogue:
    """Asks the brokers through one admin client, which is opened when first needed. Shared between threads."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._layouts: dict[str, Layout] = {}
        self._admin: Any = None
        self._lock = threading.Lock()

    def ensure(self, specs: Sequence[StreamSpec]) -> None:
        for spec in specs:
            check_spec(spec)
        topics = {self._topic(spec.name): spec for spec in specs}
        names = ", ".join(spec.name for spec in specs)
        for layout in self._ask(f"creating streams {names}", lambda admin: self._created(admin, topics)):
            self._layouts[layout.stream] = layout

    def layout(self, stream: str) -> Layout:
        """Raises LogError when there is no such stream. Asks the brokers only for a stream it has not met."""
        known = self._layouts.get(stream)
        return known if known is not None else self._look_up(stream)

    def offsets(self, stream: str) -> dict[int, tuple[int, int]]:
        """Per partition, the first offset kept and the next to be written, those of open transactions included."""
        layout = self.layout(stream)
        doing = f"asking for the offsets of {stream}"
        first = self._ask(doing, lambda admin: _offsets(admin, layout, OffsetSpec.EARLIEST))
        end = self._ask(doing, lambda admin: _offsets(admin, layout, OffsetSpec.LATEST))
        return {number: (first[number], end[number]) for number in range(layout.partitions)}

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    def _ask(self, doing: str, question: Callable[[Any], _T]) -> _T:
        """Ask until there is an answer, or none to be had. A client whose brokers were away waits before it tries them
        again, and answers meanwhile that there are none, so each try has a new one."""
        deadline = time.monotonic() + CONNECT_TIMEOUT_S
        with self._lock:
            while True:
                try:
                    return question(self._connected())
                except KafkaError as error:
                    self._disconnect()
                    if is_permanent(error) or time.monotonic() > deadline:
                        raise log_error(doing, error) from error
                time.sleep(_RETRY_S)

    def _created(self, admin: Any, topics: Mapping[str, StreamSpec]) -> list[Layout]:
        existing = existing_topics(admin, list(topics))
        self._accept(admin, {topic: topics[topic] for topic in existing}, existing)
        if missing := {topic: spec for topic, spec in topics.items() if topic not in existing}:
            create_topics(admin, missing, self._clients.settings.replication_factor)
        return [
            Layout(
                spec.name,
                topic,
                existing[topic].partitions if topic in existing else spec.partitions,
                spec.max_message_bytes,
            )
            for topic, spec in topics.items()
        ]

    def _accept(self, admin: Any, topics: Mapping[str, StreamSpec], existing: Mapping[str, Existing]) -> None:
        if not topics:
            return
        configs = read_configs(admin, list(topics))
        for topic, spec in topics.items():
            check_topic(topic, spec, configs[topic], existing[topic].replicas)
        raise_bounds(admin, topics, configs)

    def _look_up(self, stream: str) -> Layout:
        found = self._ask(f"looking up stream {stream}", lambda admin: _existing(admin, stream, self._topic(stream)))
        return self._layouts.setdefault(stream, found)

    def _topic(self, stream: str) -> str:
        return self._clients.settings.topic_prefix + stream

    def _connected(self) -> Any:
        if self._admin is None:
            self._admin = self._clients.admin()
        return self._admin

    def _disconnect(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None


def _existing(admin: Any, stream: str, topic: str) -> Layout:
    found = existing_topics(admin, [topic]).get(topic)
    if found is None:
        raise LogError(f"stream {stream!r} does not exist; create it with EventLog.ensure")
    bound = int(read_configs(admin, [topic])[topic]["max.message.bytes"]) - OVERHEAD_BYTES
    return Layout(stream, topic, found.partitions, bound)


def _offsets(admin: Any, layout: Layout, spec: OffsetSpec) -> dict[int, int]:
    answer = admin.list_partition_offsets(dict.fromkeys(layout.all_partitions(), spec))
    return {at.partition: found.offset for at, found in answer.items()}
