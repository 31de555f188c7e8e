"""The profiles of one partition: a row per workload, as arrays, in slabs of 256 rows."""

from __future__ import annotations

import heapq
import mmap
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.columns import Array, Columns, Field
from models.profile import CPU_FIELDS, GPU_FIELDS, PROFILE_FIELDS

SLAB = 256
Indices = NDArray[np.intp]


def _untouched(shape: tuple[int, ...], dtype: str) -> Array:
    """Zeros in pages of their own, which take memory when they are first written and give it back when the array goes.
    numpy's own large arrays do not quite: malloc hands out pages again that were touched before."""
    items = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(mmap.mmap(-1, items * np.dtype(dtype).itemsize), dtype).reshape(shape)


class Profiles:
    """Rows of `models.profile.PROFILE_FIELDS` by slot. `profiles[field]` is the array of all slots, [capacity, ...].

    Arrays grow by doubling. Memory of rows that were never used is reserved but not touched, so it costs nothing. Fields
    beyond CPU_FIELDS have none until `hold` asks for them: till then they read as zeros and cannot be written.
    """

    def __init__(self) -> None:
        self.names: list[str | None] = []
        """Workload by slot; None: the slot is free."""
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._arrays: dict[str, Array] = {f.name: np.empty((0, *f.shape), dtype=f.dtype) for f in PROFILE_FIELDS}
        self._held = {field.name for field in CPU_FIELDS}
        self._dirty: set[int] = set()

    def __len__(self) -> int:
        """Workloads."""
        return len(self._slots)

    def __getitem__(self, field: str) -> Array:
        return self._arrays[field]

    def slots_of(self, workloads: Sequence[str]) -> Indices:
        """The slot of each workload. One that is new gets the lowest free slot, in the order given."""
        known = self._slots
        slots = [known.get(name, -1) for name in workloads]
        if -1 in slots:
            slots = [known[name] if name in known else self._add(name) for name in workloads]
        return np.array(slots, dtype=np.intp)

    def _add(self, workload: str) -> int:
        if self._free:
            slot = heapq.heappop(self._free)
            self.names[slot] = workload
        else:
            slot = len(self.names)
            self._reserve(slot + 1)
            self.names.append(workload)
            self.clear(slice(slot, slot + 1))
        self._slots[workload] = slot
        return slot

    def _reserve(self, rows: int) -> None:
        capacity = len(self._arrays["rows"])
        if rows <= capacity:
            return
        capacity = max(2 * capacity, rows, SLAB)
        for field in PROFILE_FIELDS:
            if field.name not in self._held:
                self._arrays[field.name] = np.broadcast_to(np.zeros((), field.dtype), (capacity, *field.shape))
                continue
            grown = _untouched((capacity, *field.shape), field.dtype)
            grown[: len(self.names)] = self._arrays[field.name][: len(self.names)]
            self._arrays[field.name] = grown

    def hold(self, fields: tuple[Field, ...]) -> None:
        """Give memory to these fields, whose empty value is zero."""
        new = tuple(field for field in fields if field.name not in self._held)
        for field in new:
            self._arrays[field.name] = _untouched((len(self._arrays["rows"]), *field.shape), field.dtype)
        self._held.update(field.name for field in new)

    def clear(self, slots: Indices | slice, fields: tuple[Field, ...] = PROFILE_FIELDS) -> None:
        """Make these fields of these rows hold nothing."""
        for field in fields:
            if field.name in self._held:
                self._arrays[field.name][slots] = field.empty

    def touch(self, slots: Indices) -> None:
        """These rows changed: their slabs are due."""
        self._dirty.update(np.unique(slots // SLAB).tolist())

    def forget(self, slots: Indices) -> None:
        """Free these rows."""
        for slot in slots.tolist():
            name = self.names[slot]
            if name is not None:
                del self._slots[name]
                self.names[slot] = None
                heapq.heappush(self._free, slot)
        self.clear(slots)
        self.touch(slots)

    def take_dirty(self) -> list[int]:
        """The slabs that changed since the last call, ascending."""
        dirty, self._dirty = sorted(self._dirty), set()
        return dirty

    def slab(self, index: int) -> Columns:
        """The workloads of a slab, copied."""
        start = index * SLAB
        names = self.names[start : start + SLAB]
        rows = np.array([start + i for i, name in enumerate(names) if name is not None], dtype=np.intp)
        arrays = {field.name: self._arrays[field.name][rows] for field in PROFILE_FIELDS}
        return Columns(PROFILE_FIELDS, [name for name in names if name is not None], arrays)

    @classmethod
    def restored(cls, slabs: Mapping[int, Columns]) -> Profiles:
        """Profiles from their slabs. A workload stays in its slab; rows inside a slab may move up."""
        profiles = cls()
        rows = SLAB * (max(slabs) + 1) if slabs else 0
        profiles._reserve(rows)
        profiles.names = [None] * rows
        if any(slab["gpu_last_seen_ms"].any() for slab in slabs.values()):
            profiles.hold(GPU_FIELDS)
        for index, slab in slabs.items():
            span = slice(index * SLAB, index * SLAB + len(slab))
            profiles.names[span] = slab.workloads
            for field in PROFILE_FIELDS:
                if field.name in profiles._held:
                    profiles._arrays[field.name][span] = slab[field.name]
        profiles._slots = {name: slot for slot, name in enumerate(profiles.names) if name is not None}
        profiles._free = [slot for slot, name in enumerate(profiles.names) if name is None]
        if profiles._free:
            profiles.clear(np.array(profiles._free, dtype=np.intp))
        return profiles
