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

NUMBERS: Mapping[int, Fate] = {-1: Fate.NOT_NEEDED, -2: Fate.LABELS, -3: Fate.TOO_MANY_SERIES}
"""What stands in place of a number where a series has none."""
_NOT_NEEDED, _LABELS, _TOO_MANY = NUMBERS

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
        self._jobs: dict[tuple[int, int], str] = {}
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
            return _TOO_MANY
        return self._add(identity, meaning, sender)

    def forget_idle(self, before_ms: int) -> set[int]:
        """Free the numbers of series without a sample since then. Returns them."""
        used = np.fromiter(self._identities, np.int64, len(self._identities))
        idle = set(used[self.standing.seen_ms[used] < before_ms].tolist())
        for number in idle:
            del self._numbers[self._identities.pop(number)]
            self._sender_counts[self._senders.pop(number)] -= 1
        self._free += idle
        self._free_standing(np.array(sorted(idle), np.int64))
        return idle

    def state(self) -> bytes:
        """Where every series stands, 32 bytes each."""
        used = np.fromiter(self._identities, np.int64, len(self._identities))
        saved = np.zeros(len(used), _SAVED)
        saved["identity"] = list(self._identities.values())
        saved["time_ms"], saved["value"] = self.standing.time_ms[used], self.standing.value[used]
        return bytes(saved[saved["time_ms"] != NO_TIME].tobytes())

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
            self._jobs.pop(key, None)
        touched = set(standing.entity[gone].tolist())
        standing.time_ms[gone], standing.value[gone], standing.entity[gone] = NO_TIME, np.nan, -1
        for number in touched - set(standing.entity.tolist()):
            self.owners_version += self.entities[number].cls == "owner"
            self.entities.free(number)

    def _add(self, identity: Identity, meaning: Meaning, sender: str) -> int:
        entity = self.entities.number(meaning.entity)
        if self._jobs.setdefault((entity, meaning.slot), meaning.job) != meaning.job:
            return _NOT_NEEDED
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
