"""The series that are known: their numbers, and by number what they say and where they stand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.listen.entities import Labels, Meaning, meaning_of
from collector.listen.entity_table import EntityTable
from collector.listen.refusal import Fate
from collector.listen_settings import ListenSettings

Identity = bytes
NO_TIME = -1

NUMBERS: Mapping[int, Fate] = {-1: Fate.NOT_NEEDED, -2: Fate.LABELS, -3: Fate.TWIN, -4: Fate.TOO_MANY_SERIES}
"""What stands in place of a number where a series has none."""
_NOT_NEEDED, _LABELS, _TWIN, TOO_MANY = NUMBERS
FAILOVER_MS = 300_000
"""A series that is silent for so long gives way to its twin: five of the slowest usual scrapes."""

_SAVED = np.dtype([("identity", "S16"), ("time_ms", "<i8"), ("value", "<f8")])


@dataclass(slots=True)
class Standing:
    """Columns by number of series. time_ms, value: its newest sample in a row, NO_TIME before the first."""

    entity: NDArray[np.int32]
    slot: NDArray[np.int16]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    seen_ms: NDArray[np.int64]

    @classmethod
    def empty(cls, n: int) -> Standing:
        return cls(
            np.full(n, -1, np.int32),
            np.full(n, -1, np.int16),
            np.full(n, NO_TIME, np.int64),
            np.full(n, np.nan),
            np.zeros(n, np.int64),
        )

    def grown(self) -> Standing:
        """Twice as long, the new half empty."""
        more = Standing.empty(len(self.entity))
        return Standing(*(np.concatenate([getattr(self, f), getattr(more, f)]) for f in Standing.__slots__))


class SeriesIndex:
    """Gives numbers to series and to entities. Its callers hold one lock."""

    def __init__(self, settings: ListenSettings) -> None:
        self._settings = settings
        self.standing = Standing.empty(1024)
        self.entities = EntityTable()
        self.owners_version = 0
        """Changes with the entities of class `owner`."""
        self._numbers: dict[Identity, int] = {}
        self._identities: dict[int, Identity] = {}
        self._free: list[int] = []
        self._by: dict[tuple[int, int], str] = {}
        """Who brings the samples of an entity and slot."""
        self._with_twins: set[int] = set()
        """Entities of which somebody else brings samples too."""
        self._senders: dict[int, str] = {}
        self._sender_counts: dict[str, int] = {}
        self._remembered: dict[Identity, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, labels: Labels, sender: str) -> int:
        """The number of a series, given now if it is new; negative (see NUMBERS) when it gets none."""
        if not self._acceptable(labels):
            return _LABELS
        identity = identity_of(labels)
        known = self._numbers.get(identity)
        if known is not None:
            return known
        meaning = meaning_of(labels)
        if meaning is None:
            return _NOT_NEEDED
        if self._full(sender):
            return TOO_MANY
        return self._add(identity, meaning, sender)

    def forget_idle(self, before_ms: int, twins_before_ms: int) -> set[int]:
        """Free the numbers of series without a sample since `before_ms`, or since `twins_before_ms` where a twin may
        step in. Returns what must not be remembered as a number any more."""
        used = np.fromiter(self._identities, np.int64, len(self._identities))
        seen_ms, entity = self.standing.seen_ms[used], self.standing.entity[used]
        replaceable = (seen_ms < twins_before_ms) & np.isin(entity, list(self._with_twins))
        self._with_twins -= set(entity[replaceable].tolist())
        gone = used[(seen_ms < before_ms) | replaceable]
        for number in gone.tolist():
            del self._numbers[self._identities.pop(number)]
            self._sender_counts[self._senders.pop(number)] -= 1
        self._free += gone.tolist()
        self._free_standing(gone)
        return {*gone.tolist(), *([_TWIN] if len(gone) else [])}

    def state(self) -> bytes:
        """Where every series stands, 32 bytes each; also those of an earlier process that were not seen yet."""
        used = np.fromiter(self._identities, np.int64, len(self._identities))
        saved = np.zeros(len(used), _SAVED)
        saved["identity"] = list(self._identities.values())
        saved["time_ms"], saved["value"] = self.standing.time_ms[used], self.standing.value[used]
        unseen = np.array([(identity, *standing) for identity, standing in self._remembered.items()], _SAVED)
        saved = np.concatenate([saved, unseen])
        oldest = saved["time_ms"].max(initial=0) - round(self._settings.idle_s * 1000)
        return bytes(saved[saved["time_ms"] > max(oldest, NO_TIME)].tobytes())

    def restore(self, state: bytes) -> None:
        """Take the standing of an earlier process over; a series gets it back when it is first seen."""
        if len(state) % _SAVED.itemsize == 0:
            for identity, time_ms, value in np.frombuffer(state, _SAVED).tolist():
                self._remembered[identity.ljust(16, b"\0")] = time_ms, value

    def _acceptable(self, labels: Labels) -> bool:
        longest = self._settings.max_label_bytes
        return (
            bool(labels.get("__name__"))
            and len(labels) <= self._settings.max_labels
            and all(len(name.encode()) <= longest and len(value.encode()) <= longest for name, value in labels.items())
        )

    def _full(self, sender: str) -> bool:
        return (
            len(self._numbers) >= self._settings.max_series
            or self._sender_counts.get(sender, 0) >= self._settings.max_sender_series
        )

    def _free_standing(self, gone: NDArray[np.int64]) -> None:
        standing = self.standing
        for key in zip(standing.entity[gone].tolist(), standing.slot[gone].tolist(), strict=True):
            self._by.pop(key, None)
        touched = set(standing.entity[gone].tolist())
        standing.time_ms[gone], standing.value[gone], standing.entity[gone] = NO_TIME, np.nan, -1
        for number in touched - set(standing.entity.tolist()):
            self.owners_version += self.entities[number].cls == "owner"
            self.entities.free(number)

    def _add(self, identity: Identity, meaning: Meaning, sender: str) -> int:
        entity = self.entities.number(meaning.entity)
        if self._by.setdefault((entity, meaning.slot), meaning.by) != meaning.by:
            self._with_twins.add(entity)
            return _TWIN
        number = self._free.pop() if self._free else len(self._numbers)
        if number == len(self.standing.entity):
            self.standing = self.standing.grown()
        self._numbers[identity], self._identities[number], self._senders[number] = number, identity, sender
        self._sender_counts[sender] = self._sender_counts.get(sender, 0) + 1
        standing = self.standing
        standing.entity[number], standing.slot[number] = entity, meaning.slot
        time_ms, value = self._remembered.pop(identity, (NO_TIME, np.nan))
        standing.time_ms[number], standing.value[number] = time_ms, value
        self.entities.newest_ms[entity] = max(self.entities.newest_ms[entity], time_ms)
        self.owners_version += meaning.entity.cls == "owner"
        return number


def identity_of(labels: Labels) -> Identity:
    """Sixteen bytes that tell series apart, whatever protocol and order their labels came in."""
    text = "\xff".join(f"{name}\xfe{labels[name]}" for name in sorted(labels))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
