"""One member of a consumer group, whose rebalances happen in the thread that polls.

kafka-python calls a rebalance listener in its I/O thread, where a restore that takes seconds would stop the heartbeats.
So its poll runs in a helper thread, the listener there only waits, and the thread that called us does the work.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future as Work
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.future import Future
from kafka.structs import MemberState

from stream.contract import PartitionListener
from stream.kafka_log.clients import Clients
from stream.kafka_log.internals import complete, daemon, forget_ownership

_MAX_POLL_INTERVAL_MS = 30_000  # the contract's
_TURN_MS = 250
_HEARTBEAT_MS = 1_000  # also how soon a member learns that another has joined; Kafka's own default is 3 s
_CLOSE_MS = 5_000


class Membership:
    """Owns the consumer. All methods are for one thread, which may call `group`, `landed` and `expel` from the listener."""

    def __init__(self, clients: Clients, group: str, topic: str, listener: PartitionListener) -> None:
        self._topic = topic
        self._listener = listener
        self._calls: queue.SimpleQueue[_Call | Work[Any]] = queue.SimpleQueue()
        self._work: Work[Any] | None = None
        self._failure: BaseException | None = None
        self._held: list[Any] = []
        self._closing = False
        self.owned: set[int] = set()
        assignor = CooperativeStickyAssignor()
        self._consumer = clients.consumer(
            group_id=group,
            partition_assignment_strategy=[assignor],
            session_timeout_ms=clients.session_ms,
            heartbeat_interval_ms=min(_HEARTBEAT_MS, clients.session_ms // 4),
            max_poll_interval_ms=max(_MAX_POLL_INTERVAL_MS, clients.session_ms),
        )
        self._consumer.partitions_for_topic(topic)  # a leader that joins before it knows them assigns none of them
        self._consumer.subscribe([topic], listener=_Rebalance(self._calls, assignor))
        self._worker = _Worker(f"kafka-poll-{group}")

    def poll(self, timeout_s: float, max_records: int) -> list[Any]:
        """Records of owned partitions. Raises what the listener raised."""
        if not self._held:
            if self._work is None:
                self._start(lambda: self._turn(max_records))
            self._serve(time.monotonic() + timeout_s)
        ready, self._held = self._held[:max_records], self._held[max_records:]
        return ready

    def group(self) -> Any:
        """The generation that a transaction is fenced by (KIP-447)."""
        return self._consumer.group_metadata()

    def landed(self, partition: int, token: str, timeout_s: float) -> bool:
        """Whether the newest commit of `partition` carries `token`. Waits for open transactions to be decided."""
        at = TopicPartition(self._topic, partition)
        committed = self._consumer.committed(at, metadata=True, timeout_ms=int(timeout_s * 1000))
        return committed is not None and committed.metadata == token

    def expel(self) -> None:
        """The group went on without this member: everything it owned is lost."""
        self._lost(sorted(self.owned))

    def close(self) -> None:
        """Leave the group; what is still owned is revoked first."""
        self._closing = True
        try:
            if self._work is not None:
                self._serve(None)
            self._start(lambda: self._consumer.close(autocommit=False, timeout_ms=_CLOSE_MS) or {})
            self._serve(None)
        finally:
            self._worker.close()

    def _turn(self, max_records: int) -> Mapping[Any, Sequence[Any]]:
        """In the helper: poll, and while the group rebalances go on polling. kafka-python 3.0 forgets the answer to a
        join that arrives between two polls and joins again, so that a group of members that poll briefly never settles."""
        until = time.monotonic() + _MAX_POLL_INTERVAL_MS / 1000
        while True:
            batches: Mapping[Any, Sequence[Any]] = self._consumer.poll(timeout_ms=_TURN_MS, max_records=max_records)
            settled = self._consumer.group_metadata().state != MemberState.REBALANCING
            if batches or settled or self._closing or time.monotonic() > until:
                return batches

    def _start(self, job: Callable[[], Mapping[Any, Sequence[Any]]]) -> None:
        self._work = self._worker.submit(job)
        self._work.add_done_callback(self._calls.put)

    def _serve(self, deadline: float | None) -> None:
        """Do what the listener is asked for until the helper is done or time is up; then it goes on by itself, and the
        next call finds what it got."""
        while True:
            try:
                call = self._calls.get(timeout=deadline and max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if not isinstance(call, _Call):
                self._finish(call)
                break
            self._answer(call)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _finish(self, work: Work[Any]) -> None:
        self._work = None
        for batch in work.result().values():
            self._held += [record for record in batch if record.partition in self.owned]

    def _answer(self, call: _Call) -> None:
        try:
            call.handler(self, call.partitions)
        except BaseException as error:  # raised again by `_serve`: the I/O thread must not wait for ever
            self._failure = self._failure or error
        finally:
            complete(self._consumer, call.done)

    def _assigned(self, partitions: Sequence[int]) -> None:
        self._drop_held(partitions)
        self.owned.update(partitions)
        for number, offset in self._listener.assigned(partitions).items():
            self._consumer.seek(TopicPartition(self._topic, number), offset)

    def _revoked(self, partitions: Sequence[int]) -> None:
        if going := [number for number in partitions if number in self.owned]:
            try:
                self._listener.revoked(going)
            finally:
                self._drop_held(going)
                self.owned.difference_update(going)

    def _lost(self, partitions: Sequence[int]) -> None:
        if gone := [number for number in partitions if number in self.owned]:
            self._drop_held(gone)
            self.owned.difference_update(gone)
            self._listener.lost(gone)

    def _drop_held(self, partitions: Sequence[int]) -> None:
        self._held = [record for record in self._held if record.partition not in partitions]


class _Call(NamedTuple):
    handler: Callable[[Membership, Sequence[int]], None]
    partitions: Sequence[int]
    done: Future


class _Rebalance(AsyncConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Runs in the I/O thread, where it asks and waits; heartbeats go on meanwhile."""

    def __init__(self, calls: queue.SimpleQueue[Any], assignor: Any) -> None:
        self._calls = calls
        self._assignor = assignor

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._ask(Membership._assigned, assigned)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._ask(Membership._revoked, revoked)

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        forget_ownership(self._assignor)
        await self._ask(Membership._lost, lost)

    async def _ask(self, handler: Callable[[Membership, Sequence[int]], None], at: Iterable[TopicPartition]) -> None:
        call = _Call(handler, sorted(place.partition for place in at), Future())
        self._calls.put(call)
        await call.done


class _Worker:
    """A thread for one job at a time. A daemon, so that a broker that is away does not keep the process alive."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Work[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread = daemon(name, self._run)

    def submit(self, job: Callable[[], Any]) -> Work[Any]:
        work: Work[Any] = Work()
        self._jobs.put((work, job))
        return work

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            work, job = item
            try:
                work.set_result(job())
            except BaseException as error:  # the caller's to raise, whatever it is
                work.set_exception(error)
