"""One member of a group, with its commits."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import OffsetAndMetadata
from kafka.errors import KafkaError
from kafka.structs import MemberState

from stream.contract import FencedError, LogUnavailableError, Message, PartitionListener, Record
from stream.kafka_log.catalogue import Catalogue, Layout
from stream.kafka_log.errors import FENCED, is_permanent, log_error, translated
from stream.kafka_log.membership import Membership
from stream.kafka_log.reader import polled
from stream.kafka_log.transaction import Transactor, UndecidedError
from stream.routing import check_sizes, partition_for

_log = logging.getLogger(__name__)

COMMIT_TIMEOUT_S, CLOSING_COMMIT_TIMEOUT_S = 30.0, 5.0
"""A broker that restarts is back in seconds. The listener's polls are due every 30 s."""
_RETRY_S = 0.2
_JOINING_S = 2.0


class KafkaSubscription:
    """`join` opens a membership; a member that was expelled joins anew at the next poll."""

    def __init__(
        self,
        layout: Layout,
        catalogue: Catalogue,
        join: Callable[[PartitionListener], Membership],
        transactor: Transactor,
        listener: PartitionListener,
        on_close: Callable[[], None],
    ) -> None:
        self._layout = layout
        self._catalogue = catalogue
        self._join = join
        self._transactor = transactor
        self._listener = listener
        self._on_close = on_close
        self._membership = join(listener)
        self._expelled = False
        self._closed = False
        self._undecided: tuple[str, dict[int, int]] | None = None

    def poll(self, timeout_s: float, max_records: int = 500) -> Sequence[Record]:
        if self._expelled:
            self._membership.close()
            self._membership = self._join(self._listener)
            self._expelled = False
        return polled(lambda: self._membership.poll(timeout_s, max_records), self._layout.stream, timeout_s)

    def assignment(self) -> frozenset[int]:
        return frozenset(self._membership.owned)

    def commit(self, offsets: Mapping[int, int], appends: Mapping[str, Sequence[Message]] | None = None) -> None:
        self._require_owned(offsets)
        placed = self._placed(appends or {})
        deadline = time.monotonic() + (CLOSING_COMMIT_TIMEOUT_S if self._closed else COMMIT_TIMEOUT_S)
        while not self._attempt(dict(offsets), placed, deadline):
            time.sleep(_RETRY_S)
            self._require_owned(offsets)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            with translated(f"leaving the group on {self._layout.stream}"):
                self._membership.close()
        finally:
            self._transactor.close()
            self._on_close()

    def _require_owned(self, offsets: Mapping[int, int]) -> None:
        if foreign := sorted(set(offsets) - self._membership.owned):
            raise FencedError(
                f"{self._layout.stream}: partitions {foreign} are not owned, so nothing was committed; "
                "drop their state, their owner goes on from the last commit"
            )

    def _placed(self, appends: Mapping[str, Sequence[Message]]) -> dict[Layout, Sequence[Message]]:
        placed = {self._catalogue.layout(stream): messages for stream, messages in appends.items()}
        for layout, messages in placed.items():
            check_sizes(layout.stream, messages, layout.max_message_bytes)
            for message in messages:
                partition_for(layout.stream, message, layout.partitions)  # raises for one that is not there
        return placed

    def _attempt(self, offsets: dict[int, int], appends: dict[Layout, Sequence[Message]], deadline: float) -> bool:
        """Try once. Returns whether it is done; raises when it never will be, or not before the deadline."""
        group = self._membership.group()
        try:
            if self._undecided is not None and self._landed(deadline) == offsets:
                return True
            self._transact(offsets, appends, group, deadline)
        except FENCED as error:
            if not self._is_joining(group):
                self._expelled = True
                self._membership.expel()
                raise FencedError(f"{self._layout.stream}: the group went on without this member: {error}") from error
        except (KafkaError, LogUnavailableError, UndecidedError) as error:
            self._give_up_if_late(error, deadline, retriable=bool(offsets) or not isinstance(error, UndecidedError))
        else:
            return True
        return False

    def _transact(
        self, offsets: dict[int, int], appends: dict[Layout, Sequence[Message]], group: Any, deadline: float
    ) -> None:
        """The commit carries a token, so that one whose answer was lost is known again."""
        token = uuid.uuid4().hex
        tokens = {self._layout.partition(number): OffsetAndMetadata(at, token, -1) for number, at in offsets.items()}
        try:
            self._transactor.run(appends, tokens, group, deadline)
        except UndecidedError:
            self._undecided = (token, offsets) if offsets else None
            raise

    def _landed(self, deadline: float) -> dict[int, int] | None:
        """Decide the transaction whose answer was lost. Returns the offsets that it moved the group to, if it did."""
        assert self._undecided is not None
        token, offsets = self._undecided
        self._transactor.recover(deadline)
        landed = self._membership.landed(min(offsets), token, max(0.1, deadline - time.monotonic()))
        self._undecided = None
        return offsets if landed else None

    def _is_joining(self, group: Any) -> bool:
        """Whether the refused generation was only overtaken by one that this member is part of. The brokers answer a
        join and begin the new generation together, so its number is here in a moment."""
        until = time.monotonic() + _JOINING_S
        while time.monotonic() < until:
            now = self._membership.group()
            if now.generation_id < 0 or not now.member_id:
                return False
            if now.generation_id != group.generation_id:
                return True
            if now.state == MemberState.STABLE:
                return False
            time.sleep(_RETRY_S / 4)
        return False

    def _give_up_if_late(self, error: Exception, deadline: float, retriable: bool) -> None:
        doing = f"committing {self._layout.stream}"
        if isinstance(error, KafkaError) and is_permanent(error):
            raise log_error(doing, error) from error
        if not retriable or time.monotonic() > deadline:
            raise LogUnavailableError(f"{doing}: {type(error).__name__}: {error}") from error
        _log.warning("%s: trying again after %s: %s", doing, type(error).__name__, error)
