"""The idempotent writer: in order, each message once, whatever the brokers do in between."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from kafka.errors import KafkaError, KafkaTimeoutError

from stream.contract import LogError, Message
from stream.kafka_log.catalogue import Catalogue, Layout
from stream.kafka_log.clients import CONNECT_TIMEOUT_S, Clients
from stream.kafka_log.errors import translated
from stream.kafka_log.internals import abandon
from stream.kafka_log.records import wire_headers
from stream.routing import check_sizes, partition_for

_CLOSE_S = 1.0


class KafkaWriter:
    """One producer, which sends in the background from the second flush on: the first one connects.

    When a flush fails, the producer is dropped with what it held, and the next flush opens another. What a partition
    got is then a prefix of what was appended, since a partition has one batch in flight.
    """

    def __init__(self, clients: Clients, catalogue: Catalogue) -> None:
        self._clients = clients
        self._catalogue = catalogue
        self._producer: Any = None
        self._known: set[str] = set()
        self._waiting: deque[tuple[Layout, Message]] = deque()
        self._sent = _Confirmations()

    def append(self, stream: str, messages: Sequence[Message]) -> None:
        layout = self._catalogue.layout(stream)
        check_sizes(stream, messages, layout.max_message_bytes)
        for message in messages:
            partition_for(stream, message, layout.partitions)
        self._waiting.extend((layout, message) for message in messages)
        while self._waiting and self._waiting[0][0].topic in self._known:
            self._send(*self._waiting.popleft())

    def flush(self, timeout_s: float) -> None:
        if not self._waiting and not self._sent.outstanding():
            return
        deadline = time.monotonic() + timeout_s
        try:
            with translated("writing"):
                self._send_all(deadline)
                self._sent.wait(deadline - time.monotonic())
        except LogError:
            self._drop()
            raise

    def close(self) -> None:
        if self._producer is not None and not self._sent.outstanding():
            self._producer.close(timeout=_CLOSE_S)
            self._producer = None
        self._drop()

    def _send_all(self, deadline: float) -> None:
        if self._producer is None:
            patience_s = min(CONNECT_TIMEOUT_S, deadline - time.monotonic())
            self._producer = self._clients.producer(patience_s)
        while self._waiting:
            topic = self._waiting[0][0].topic
            if topic not in self._known:
                self._producer.partitions_for(topic)  # waits for metadata, so that no later send does
                self._known.add(topic)
            self._send(*self._waiting.popleft())

    def _send(self, layout: Layout, message: Message) -> None:
        future = self._producer.send(
            layout.topic,
            value=message.value,
            key=message.key.encode(),
            headers=wire_headers(message),
            partition=partition_for(layout.stream, message, layout.partitions),
        )
        self._sent.expect(future)

    def _drop(self) -> None:
        self._waiting.clear()
        self._known.clear()
        self._sent = _Confirmations()
        if self._producer is not None:
            abandon(self._producer)
            self._producer = None


class _Confirmations:
    """How many messages the brokers have not confirmed yet, and the first refusal."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._outstanding = 0
        self._error: KafkaError | None = None

    def expect(self, future: Any) -> None:
        with self._changed:
            self._outstanding += 1
        future.add_callback(self._confirmed)
        future.add_errback(self._refused)

    def outstanding(self) -> bool:
        """Whether a message is unconfirmed or was refused."""
        return self._outstanding > 0 or self._error is not None

    def wait(self, timeout_s: float) -> None:
        """Return when all are confirmed. Raises what the first one was refused with, or KafkaTimeoutError."""
        with self._changed:
            self._changed.wait_for(lambda: not self._outstanding or self._error is not None, max(0.0, timeout_s))
            if self._error is not None:
                raise self._error
            if self._outstanding:
                raise KafkaTimeoutError(f"{self._outstanding} messages were not confirmed in time")

    def _confirmed(self, _: object) -> None:
        with self._changed:
            self._outstanding -= 1
            if not self._outstanding:
                self._changed.notify_all()

    def _refused(self, error: KafkaError) -> None:
        with self._changed:
            self._outstanding -= 1
            self._error = self._error or error
            self._changed.notify_all()
