"""The slabs of one partition: what stands for each, what waits to be decided, and the messages that come of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.columns import Columns
from models.profile import PROFILE_FIELDS
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.sizing.decide import decide
from recommender.sizing.policy_columns import PolicyColumns, PolicyTable
from recommender.sizing.usage import PROFILE_FIELDS_READ
from stream import schemas
from stream.columns_codec import decode_columns, encode_columns
from stream.contract import Message, Record
from stream.dead_letters import BadMessageError, Reason

_log = logging.getLogger(__name__)

PREFIX = "slab/"


@dataclass(frozen=True, slots=True)
class Waiting:
    """The newest version of a profile slab; `profiles` None: the slab is gone."""

    profiles: Columns | None
    time_ms: int


@dataclass(frozen=True, slots=True)
class Decision:
    """A message for the recommendations stream, and the rows in it; None: the slab's tombstone."""

    message: Message
    recommendations: Columns | None


class Slabs:
    """One partition. A recommendation slab is a function of its profile slab, policy and the recommendation before."""

    def __init__(
        self, partition: int, policies: PolicyTable, newest: Mapping[str, int], own: Mapping[str, Record]
    ) -> None:
        """As of when the partition was taken over: the offset of the newest message of each key of the profiles stream
        (those whose newest is a tombstone left out), and the newest recommendation of each slab.

        Every slab is decided anew then, as policy may have changed, and only what comes out different is written. A
        recommendation whose profiles are gone, tombstone and all, is removed.
        """
        self._partition = partition
        self._policies = policies
        self._newest = {key: offset for key, offset in newest.items() if key.startswith(PREFIX)}
        self._standing = {key: rows for key, record in own.items() if (rows := _read_own(record)) is not None}
        gone = [key for key in self._standing if key not in self._newest]
        self._waiting = {key: Waiting(None, own[key].time_ms) for key in gone}
        self._policy: dict[str, tuple[list[str], PolicyColumns]] = {}

    @property
    def next_offset(self) -> int | None:
        """Where to go on so that every slab is seen once; None when there is none."""
        return min(self._newest.values(), default=None)

    def take(self, record: Record) -> None:
        """Remember the newest version of a slab. Raises BadMessageError when it cannot be read."""
        if not record.key.startswith(PREFIX) or record.offset < self._newest.get(record.key, 0):
            return
        profiles = None if record.value is None else _read_profiles(record)
        self._waiting[record.key] = Waiting(profiles, record.time_ms)

    def decide(self) -> Iterator[Decision]:
        """Decide what waits, in order of key, and yield what differs from what stands."""
        for key in sorted(self._waiting):
            waiting = self._waiting[key]
            if waiting.profiles is None:
                yield from self._remove(key, waiting)
            else:
                yield from self._decide(key, waiting.profiles, waiting.time_ms)
        self._waiting.clear()

    def _remove(self, key: str, waiting: Waiting) -> Iterator[Decision]:
        self._policy.pop(key, None)
        if self._standing.pop(key, None) is not None:
            headers = {schemas.SCHEMA: schemas.RECOMMENDATION}
            yield Decision(Message(key, None, headers, waiting.time_ms, self._partition), None)

    def _decide(self, key: str, profiles: Columns, time_ms: int) -> Iterator[Decision]:
        standing = self._standing.get(key)
        decided = decide(profiles, standing, self._policy_of(key, list(profiles.workloads)))
        if standing is not None and _equal(standing, decided):
            return
        self._standing[key] = decided
        headers = {schemas.SCHEMA: schemas.RECOMMENDATION}
        yield Decision(Message(key, encode_columns(decided), headers, time_ms, self._partition), decided)

    def _policy_of(self, key: str, workloads: list[str]) -> PolicyColumns:
        """Patterns are matched only when the workloads of a slab change."""
        known = self._policy.get(key)
        if known is None or known[0] != workloads:
            known = self._policy[key] = (workloads, self._policies.columns(workloads))
        return known[1]


def _read_profiles(record: Record) -> Columns:
    schema = record.headers.get(schemas.SCHEMA)
    if schema != schemas.PROFILE:
        raise BadMessageError(Reason.UNKNOWN_SCHEMA, f"header schema is {schema!r}; {schemas.PROFILE!r} was expected")
    return decode_columns(record.value, PROFILE_FIELDS, PROFILE_FIELDS_READ)


def _read_own(record: Record) -> Columns | None:
    """What was recommended before; None, after a warning, when it cannot be read: it is then written anew."""
    try:
        return decode_columns(record.value, RECOMMENDATION_FIELDS)
    except BadMessageError as error:
        _log.warning("%s/%d offset %d is decided anew: %s", record.stream, record.partition, record.offset, error)
        return None


def _equal(left: Columns, right: Columns) -> bool:
    """Bit for bit, NaN included."""
    return left.workloads == right.workloads and all(
        np.array_equal(values.view(f"V{values.itemsize}"), right[name].view(f"V{values.itemsize}"))
        for name, values in left.arrays.items()
    )
