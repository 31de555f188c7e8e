"""The way in."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Mapping, Sequence

from stream.contract import LogError, PartitionListener, StreamSpec
from stream.kafka_log.catalogue import Catalogue
from stream.kafka_log.clients import CONNECT_TIMEOUT_S, Clients
from stream.kafka_log.errors import translated
from stream.kafka_log.membership import Membership
from stream.kafka_log.reader import KafkaReader
from stream.kafka_log.subscription import KafkaSubscription
from stream.kafka_log.transaction import Transactor
from stream.kafka_log.writer import KafkaWriter
from stream.settings import LogSettings

_COMMITTED_TIMEOUT_MS = 30_000
"""An owner that was killed inside a commit holds its offsets back until its transaction's time has run out."""


class KafkaLog:
    """An `EventLog`. Connects when first used, so that a collector starts while the brokers are away."""

    def __init__(self, settings: LogSettings) -> None:
        """`settings.location` is `kafka:HOST:PORT[,...]`."""
        self._clients = Clients(settings)
        self._catalogue = Catalogue(self._clients)
        self._ids = _TransactionalIds(settings.kafka.topic_prefix)

    def ensure(self, specs: Sequence[StreamSpec]) -> None:
        self._catalogue.ensure(specs)

    def partitions(self, stream: str) -> int:
        return self._catalogue.layout(stream).partitions

    def writer(self) -> KafkaWriter:
        return KafkaWriter(self._clients, self._catalogue)

    def reader(self, stream: str, start: Mapping[int, int] | None = None) -> KafkaReader:
        layout, kept = self._catalogue.layout(stream), self._catalogue.offsets(stream)
        chosen = {number: first for number, (first, _) in kept.items()} if start is None else start
        if unknown := sorted(set(chosen) - set(kept)):
            raise LogError(f"{stream}: partitions {unknown} are not there; the stream has 0 to {layout.partitions - 1}")
        starts = {layout.partition(number): max(offset, kept[number][0]) for number, offset in chosen.items()}
        ends = {at: kept[at.partition][1] for at in starts}
        return KafkaReader(self._clients.consumer(), stream, starts, ends)

    def subscribe(self, group: str, stream: str, listener: PartitionListener) -> KafkaSubscription:
        layout, full_group = self._catalogue.layout(stream), self._full(group)
        transactional_id, used_before = self._ids.take(group)
        transactor = Transactor(self._clients, transactional_id)

        def join(to: PartitionListener) -> Membership:
            return Membership(self._clients, full_group, layout.topic, to)

        def release() -> None:
            self._ids.give_back(group, transactional_id)

        try:
            if used_before:
                with translated(f"finishing what the last member of {group} left open"):
                    transactor.recover(time.monotonic() + CONNECT_TIMEOUT_S)
            return KafkaSubscription(layout, self._catalogue, join, transactor, listener, release)
        except BaseException:
            transactor.close()
            release()  # else the next member has another id, and what this one's left open stays so until its time is up
            raise

    def offsets(self, stream: str) -> Mapping[int, tuple[int, int]]:
        return self._catalogue.offsets(stream)

    def committed(self, group: str, stream: str) -> Mapping[int, int]:
        places = self._catalogue.layout(stream).all_partitions()
        consumer = self._clients.consumer(group_id=self._full(group))
        try:
            with translated(f"asking for the offsets of group {group}"):
                found = {at.partition: consumer.committed(at, timeout_ms=_COMMITTED_TIMEOUT_MS) for at in places}
        finally:
            consumer.close(autocommit=False, timeout_ms=1_000)
        return {number: offset for number, offset in found.items() if offset is not None}

    def close(self) -> None:
        self._catalogue.close()

    def _full(self, group: str) -> str:
        return self._clients.settings.topic_prefix + group


class _TransactionalIds:
    """One id per live subscription, unique in the cluster. One that is free again is used again: its next producer
    decides what its last one left open, before that is read."""

    def __init__(self, prefix: str) -> None:
        self._prefix = f"{prefix}{uuid.uuid4().hex}"
        self._numbers = itertools.count()
        self._free: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def take(self, group: str) -> tuple[str, bool]:
        """An id, and whether it was used before."""
        with self._lock:
            if free := self._free.get(group):
                return free.pop(), True
            return f"{self._prefix}.{group}.{next(self._numbers)}", False

    def give_back(self, group: str, transactional_id: str) -> None:
        with self._lock:
            self._free.setdefault(group, []).append(transactional_id)
