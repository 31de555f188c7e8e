"""Offsets and messages in one transaction, with an end to the waiting."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka.errors import KafkaError

from stream.contract import Message
from stream.kafka_log import internals
from stream.kafka_log.catalogue import Layout
from stream.kafka_log.clients import Clients
from stream.kafka_log.records import wire_headers
from stream.routing import partition_for

_ABORT_S = 2.0
_RETRY_MS = 10
"""A commit is answered before its markers are written, and a transaction that begins sooner is told to come again. With
kafka-python's 100 ms a commit of 8 slabs of 200 kB took 212 ms, with 10 it takes 31."""


class UndecidedError(Exception):
    """The commit was asked for and not answered: it may or may not have happened. `recover` decides it."""


class Transactor:
    """One transactional producer at a time. A failed transaction costs it; the next one has the same id, and so decides
    what the one before left open."""

    def __init__(self, clients: Clients, transactional_id: str) -> None:
        self._clients = clients
        self._id = transactional_id
        self._producer: Any = None

    def run(
        self,
        appends: Mapping[Layout, Sequence[Message]],
        offsets: Mapping[Any, Any],
        group: Any,
        deadline: float,
    ) -> None:
        """All or nothing. Raises a KafkaError when nothing was written, UndecidedError when that is not known.
        `deadline` is on the monotonic clock."""
        self.recover(deadline)
        try:
            self._producer.begin_transaction()
            self._send(appends)
            if offsets:
                self._step(internals.send_offsets(self._producer, offsets, group), deadline)
        except KafkaError as error:
            cause = internals.cause_of(self._producer, error)
            self.reset(abort=True)
            raise cause from (None if cause is error else error)
        self._commit(deadline)

    def recover(self, deadline: float) -> None:
        """Have a producer that may begin. Transactions of earlier ones with this id are decided when this returns."""
        if self._producer is not None:
            return
        patience_s = max(0.0, deadline - time.monotonic())
        self._producer = self._clients.producer(
            patience_s,
            transactional_id=self._id,
            transaction_timeout_ms=self._clients.session_ms,
            retry_backoff_ms=_RETRY_MS,
        )
        try:
            self._producer.init_transactions()
        except KafkaError:
            self.reset(abort=False)
            raise

    def reset(self, abort: bool) -> None:
        """Give the producer up. Aborting lets readers pass at once; otherwise they wait for its time to run out."""
        if self._producer is None:
            return
        if abort:
            with suppress(KafkaError):
                self._step(internals.begin_abort(self._producer), time.monotonic() + _ABORT_S)
        internals.abandon(self._producer)
        self._producer = None

    def close(self) -> None:
        self.reset(abort=False)

    def _send(self, appends: Mapping[Layout, Sequence[Message]]) -> None:
        for layout, messages in appends.items():
            for message in messages:
                self._producer.send(
                    layout.topic,
                    value=message.value,
                    key=message.key.encode(),
                    headers=wire_headers(message),
                    partition=partition_for(layout.stream, message, layout.partitions),
                )

    def _commit(self, deadline: float) -> None:
        try:
            self._step(internals.begin_commit(self._producer), deadline)
        except KafkaError as error:
            cause = internals.cause_of(self._producer, error)
            self.reset(abort=False)
            raise UndecidedError(f"{type(cause).__name__}: {cause}") from cause

    def _step(self, result: Any, deadline: float) -> None:
        internals.await_step(self._producer, result, deadline - time.monotonic())
