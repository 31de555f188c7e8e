"""The slabs of one partition: what stands for each, what waits to be decided, and the messages that come of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.columns import Array, Columns
from models.events import WorkloadEvent
from models.profile import PROFILE_FIELDS
from models.recommendation import RECOMMENDATION_FIELDS
from recommender.budget import UNLIMITED, Wish, granted, lowered, wishes
from recommender.heard import Heard
from recommender.learning import Learning
from recommender.outcomes import outcomes
from recommender.sizing.decide import decide
from recommender.sizing.expected import Expected
from recommender.sizing.fleet import Fleet
from recommender.sizing.policy_columns import PolicyColumns, PolicyTable
from recommender.sizing.records import Records
from recommender.sizing.usage import PROFILE_FIELDS_READ
from stream import schemas
from stream.columns_codec import decode_columns, encode_columns
from stream.contract import Message, Record
from stream.dead_letters import BadMessageError, Reason
from stream.streams import FLEET, RECORDS

_log = logging.getLogger(__name__)

PREFIX = "slab/"
DAYS_AT_ONCE = 100_000
"""Workload-days charged between two commits, at 0.06 ms each: a month of history of 3,000 workloads that were imported.
A member that does not poll for 30 s is taken for dead."""
_RECORD = {schemas.SCHEMA: schemas.RECORD}
_FLEET = {schemas.SCHEMA: schemas.FLEET}


def fleet_key(partition: int) -> str:
    return f"partition/{partition}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """The newest version of a profile slab; `profiles` None: the slab is gone."""

    profiles: Columns | None
    time_ms: int


@dataclass(frozen=True, slots=True)
class Place:
    """Which partition this is, and of how many."""

    partition: int
    partitions: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept of the partition: its newest recommendations and records by slab, and what was taught, here and in
    the other partitions."""

    own: Mapping[str, Record] = field(default_factory=dict)
    records: Mapping[str, Records] = field(default_factory=dict)
    fleet: Fleet = field(default_factory=Fleet.nothing)
    others: Fleet = field(default_factory=Fleet.nothing)


@dataclass(frozen=True, slots=True)
class Decision:
    """A message for the recommendations stream, and the rows in it (None: the slab's tombstone); and what became of changes
    that its rows judge."""

    message: Message
    recommendations: Columns | None
    outcomes: Sequence[WorkloadEvent] = ()


class Slabs:
    """One partition. A recommendation slab is a function of its profile slab, policy, the recommendation before, and what
    the experts learned until then."""

    def __init__(self, place: Place, policies: PolicyTable, newest: Mapping[str, int], kept: Kept) -> None:
        """newest: as of when the partition was taken over, the offset of the newest message of each key of the profiles
        stream (those whose newest is a tombstone left out).

        Every slab is decided anew then, as policy may have changed, and only what comes out different is written. A
        recommendation or record whose profiles are gone, tombstone and all, is removed.
        """
        self._place = place
        self._policies = policies
        self._newest = {key: offset for key, offset in newest.items() if key.startswith(PREFIX)}
        self._standing = {key: rows for key, record in kept.own.items() if (rows := _read_own(record)) is not None}
        self._learning = Learning(kept.records, kept.fleet, kept.others)
        gone = [key for key in {**self._standing, **kept.records} if key not in self._newest]
        self._waiting = {key: Waiting(None, kept.own[key].time_ms if key in kept.own else 0) for key in gone}
        self._policy: dict[str, tuple[list[str], PolicyColumns]] = {}
        self.heard = Heard()
        """What events told of the workloads of this partition."""

    @property
    def next_offset(self) -> int | None:
        """Where to go on so that every slab is seen once; None when there is none."""
        return min(self._newest.values(), default=None)

    @property
    def learning(self) -> Learning:
        return self._learning

    def take(self, record: Record) -> None:
        """Remember the newest version of a slab. Raises BadMessageError when it cannot be read."""
        if not record.key.startswith(PREFIX) or record.offset < self._newest.get(record.key, 0):
            return
        profiles = None if record.value is None else _read_profiles(record)
        self._waiting[record.key] = Waiting(profiles, record.time_ms)

    def decide(self) -> Iterator[Decision]:
        """Charge the days that were finished, then decide what waits, and yield what differs from what stands."""
        turn = self._turn()
        here = {
            key: (profiles, self._policy_of(key, profiles))
            for key in turn
            if (profiles := self._waiting[key].profiles) is not None
        }
        self._learning.advance(here)
        decided = {key: self._decided(key, *slab) for key, slab in sorted(here.items())}
        decided |= self._within_budget(here, decided)
        for key in turn:
            yield from self._changed(key, decided[key]) if key in decided else self._remove(key)
            del self._waiting[key]

    def _turn(self) -> list[str]:
        """What is decided now, in order of key: all of it, but for what comes after DAYS_AT_ONCE. That is decided in the
        next turn; a recommender that is killed before decides every slab anew anyway."""
        keys, days = [], 0
        for key in sorted(self._waiting):
            if days >= DAYS_AT_ONCE:
                break
            keys.append(key)
            profiles = self._waiting[key].profiles
            days += 0 if profiles is None else self._learning.days_due(key, profiles)
        return keys

    def kept(self) -> Mapping[str, Sequence[Message]]:
        """What was learned since the last call, by stream."""
        changed, taught = self._learning.take_changed()
        at = self._place.partition
        records = [
            Message(key, encode_columns(self._learning.records(key).columns()), _RECORD, 0, at) for key in changed
        ]
        fleet = [] if taught is None else [self.fleet_message(at, taught)]
        gone = [Message(key, None, _RECORD, 0, at) for key in self._learning.take_forgotten()]
        return {RECORDS: [*records, *gone], FLEET: fleet}

    @staticmethod
    def fleet_message(partition: int, taught: Columns) -> Message:
        """What a partition tells the others; all of them in one partition of the fleet stream."""
        return Message(fleet_key(partition), encode_columns(taught), _FLEET, 0, 0)

    def _remove(self, key: str) -> Iterator[Decision]:
        self._policy.pop(key, None)
        self._learning.forget(key)
        if self._standing.pop(key, None) is not None:
            yield Decision(self._message(key, None), None)

    def _decided(self, key: str, profiles: Columns, policy: PolicyColumns, may_lower: Array | None = None) -> Columns:
        expected = Expected.of(self._learning.records(key))
        told = self.heard.of(profiles.workloads)
        return decide(profiles, self._standing.get(key), policy, expected=expected, may_lower=may_lower, told=told)

    def _within_budget(
        self, here: Mapping[str, tuple[Columns, PolicyColumns]], decided: Mapping[str, Columns]
    ) -> dict[str, Columns]:
        """The slabs that lower more than their namespaces may, decided again."""
        wanted: list[Wish] = []
        for key, (_, policy) in here.items():
            budget = np.broadcast_to(policy["lowerings_per_namespace_day"], (len(decided[key]),))
            if budget.size and budget.min() < UNLIMITED:
                wanted += wishes(key, self._standing.get(key), decided[key], budget)
        if not wanted:
            return {}
        granted_rows = granted(wanted, lowered(self._standing.values()), self._place.partition, self._place.partitions)
        refused: dict[str, list[int]] = {}
        for wish in wanted:
            if (wish.key, wish.row) not in granted_rows:
                refused.setdefault(wish.key, []).append(wish.row)
        again = {}
        for key, rows in refused.items():
            may_lower = np.ones(len(decided[key]), dtype=bool)
            may_lower[rows] = False
            again[key] = self._decided(key, *here[key], may_lower)
        return again

    def _changed(self, key: str, decided: Columns) -> Iterator[Decision]:
        standing = self._standing.get(key)
        if standing is None or not _equal(standing, decided):
            self._standing[key] = decided
            yield Decision(self._message(key, encode_columns(decided)), decided, list(outcomes(standing, decided)))

    def _message(self, key: str, value: bytes | None) -> Message:
        headers = {schemas.SCHEMA: schemas.RECOMMENDATION}
        return Message(key, value, headers, self._waiting[key].time_ms, self._place.partition)

    def _policy_of(self, key: str, profiles: Columns) -> PolicyColumns:
        """Patterns are matched only when the workloads of a slab change."""
        known, workloads = self._policy.get(key), list(profiles.workloads)
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
