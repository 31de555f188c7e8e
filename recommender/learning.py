"""What a partition's workloads teach: each finished day is charged once, day after day, across all its slabs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.columns import Array, Columns
from models.profile import PEAK_DAYS
from recommender.sizing.experts.prior import Traits
from recommender.sizing.fleet import Ends, Fleet, Taught
from recommender.sizing.history import History
from recommender.sizing.learn import Sizes, charge, look_back, set_limits
from recommender.sizing.policy_columns import PolicyColumns
from recommender.sizing.records import NAMES, Records
from recommender.sizing.usage import largest_limits

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Due:
    """One slab whose days wait to be charged: from `first` [n] up to, and without, the running day; and `asked_anew`, the
    rows whose target rate was changed by policy after their limits were set."""

    history: History
    records: Records
    sizes: Sizes
    first: Array
    asked_anew: Array

    @classmethod
    def of(cls, profiles: Columns, records: Records, policy: PolicyColumns) -> Due | None:
        """None when nothing is due, as between two days: then the days are not even unpacked, which takes as long as a
        decision."""
        newest = profiles["newest_day"].astype(np.int64)
        oldest = np.maximum(newest - (PEAK_DAYS - 1), profiles["first_seen_ms"] // _DAY_MS)
        first = np.maximum(records.arrays["through_day"] + 1, oldest)
        wanted = policy.pair("cpu_target_throttled_ratio", "memory_target_oom_days_ratio").astype(np.float32)
        rate = np.broadcast_to(wanted, (len(profiles), len(NAMES)))
        changed = ~np.isnan(records.arrays["limit"]) & (records.arrays["rate"] != rate)
        if not (changed.any() or (first < newest).any()):
            return None
        sizes = Sizes(largest_limits(profiles), rate)
        return cls(History.of(profiles), records, sizes, first, np.flatnonzero(changed.any(axis=1)))

    def days(self) -> set[int]:
        """The days that wait, at most 32 of each row: whatever a slab holds, its clock cannot keep the recommender busy."""
        days = self.first[:, None] + np.arange(PEAK_DAYS)
        return set(days[days < self.history.newest_day[:, None]].tolist())

    def rows(self, day: int) -> Array:
        """Those for which a day is finished and not yet charged."""
        return np.flatnonzero((self.first <= day) & (day < self.history.newest_day))


class Learning:
    """The records of one partition and what its workloads taught. `others`: what the other partitions taught."""

    def __init__(self, records: Mapping[str, Records], own: Fleet, others: Fleet) -> None:
        self._records = dict(records)
        self._own = own
        self.others = others
        self._changed: set[str] = set()
        self._forgotten: set[str] = set()
        self._taught = False

    def records(self, key: str) -> Records:
        """Of the slab as it was last given to `advance`."""
        return self._records[key]

    def forget(self, key: str) -> None:
        """The slab is gone. What it taught stays."""
        self._changed.discard(key)
        if self._records.pop(key, None) is not None:
            self._forgotten.add(key)

    def advance(self, slabs: Mapping[str, tuple[Columns, PolicyColumns]]) -> None:
        """Charge every day that these slabs finished, and set limits anew where a day or a rate asks for it."""
        looked = {key: self._due(key, profiles, policy) for key, (profiles, policy) in slabs.items()}
        due = {key: one for key, one in looked.items() if one is not None}
        for day in sorted(set().union(*(one.days() for one in due.values()))):
            rows = {key: found for key, one in due.items() if len(found := one.rows(day))}
            if rows:
                self._finish(day, due, rows)
        for key, one in due.items():
            for resource in range(len(NAMES) if len(one.asked_anew) else 0):
                for newest, chosen in _by_day(one.records, one.asked_anew):
                    self._set_limits(one, chosen, resource, newest, self._ends(resource), self._all_taught(resource))
                self._changed.add(key)

    def days_due(self, key: str, profiles: Columns) -> int:
        """About how many workload-days of a slab wait to be charged, summed over its rows."""
        known = self._records.get(key)
        through = -1 if known is None else int(known.arrays["through_day"].max(initial=-1))
        oldest = np.maximum(profiles["first_seen_ms"] // _DAY_MS, profiles["newest_day"] - PEAK_DAYS)
        return int(np.maximum(profiles["newest_day"] - np.maximum(oldest, through + 1), 0).sum())

    def take_changed(self) -> tuple[list[str], Columns | None]:
        """Slabs whose records changed since the last call, and what this partition taught if that changed."""
        changed, self._changed = sorted(self._changed), set()
        taught, self._taught = self._taught, False
        return changed, self._own.columns("taught", [self._traits(r) for r in range(len(NAMES))]) if taught else None

    def take_forgotten(self) -> list[str]:
        """Slabs whose records are gone since the last call."""
        forgotten, self._forgotten = sorted(self._forgotten), set()
        return forgotten

    def _due(self, key: str, profiles: Columns, policy: PolicyColumns) -> Due | None:
        known = self._records.get(key)
        records = Records.empty(profiles.workloads) if known is None else known.aligned(list(profiles.workloads))
        self._records[key] = records
        return Due.of(profiles, records, policy)

    def _finish(self, day: int, due: Mapping[str, Due], rows: Mapping[str, Array]) -> None:
        """One day of all slabs: first all are charged by the classes of that morning, then the next day's limits set."""
        for resource in range(len(NAMES)):
            taught, ends = self._own.taught[resource], self._ends(resource)
            for key, found in rows.items():
                taught = charge(due[key].history, due[key].records, found, resource, day, ends, taught)
            both = list(self._own.taught)
            both[resource] = taught
            self._own = Fleet((both[0], both[1]), self._own.points)
            for key, found in rows.items():
                look_back(due[key].history, due[key].records, found, resource, day, due[key].sizes)
            ends, taught = self._ends(resource), self._all_taught(resource)
            for key, found in rows.items():
                self._set_limits(due[key], found, resource, day, ends, taught)
        for key, found in rows.items():
            due[key].records.arrays["through_day"][found] = day
        self._changed.update(rows)
        self._taught = True

    def _set_limits(self, due: Due, rows: Array, resource: int, day: int, ends: Ends, taught: Taught) -> None:
        """For the day after `day`."""
        days = due.history.before(rows, resource, day + 1)
        set_limits(days, due.records, rows, resource, ends, taught, due.sizes)

    def _all_taught(self, resource: int) -> Taught:
        return self._own.taught[resource] + self.others.taught[resource]

    def _ends(self, resource: int) -> Ends:
        return self.others.ends(resource, self._traits(resource))

    def _traits(self, resource: int) -> Traits:
        """Of every workload of the partition, slab after slab."""
        parts = [self._records[key].arrays["traits"][:, resource] for key in sorted(self._records)]
        return Traits(*np.concatenate([np.empty((0, 4), np.float32), *parts]).astype(np.float64).T)


def _by_day(records: Records, rows: Array) -> Iterator[tuple[int, Array]]:
    """The rows by the newest day that was charged to them."""
    through = records.arrays["through_day"][rows]
    for day in np.unique(through).tolist():
        yield day, rows[through == day]
