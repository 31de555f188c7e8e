"""MIG geometry: which instances may stand on one GPU at the same time.

An instance takes `memory_slices` neighbouring memory slices from a start that the hardware allows, and
`compute_slices` anywhere. A layout is legal when the memory intervals are disjoint, the compute slices do not exceed
the GPU's, no profile has more instances than allowed, and at most one instance holds the media engines.
Source: NVIDIA MIG user guide, "Partitioning"; checked against the 19 layouts that it lists for A100.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache


class UnknownProfileError(LookupError):
    """A MIG profile that this GPU does not have. The message lists those it has."""


@dataclass(frozen=True, slots=True)
class MigProfile:
    """One size of instance. `key` is the size alone (`3g`, `1gx2m`, `1g+me`), `name` what NVML prints (`3g.40gb`).

    memory_bytes, multiprocessors: what a process on the instance can use; None where no source tells.
    nvml_profile_id: what instance creation takes; None where no source tells.
    """

    key: str
    name: str
    compute_slices: int
    memory_slices: int
    starts: tuple[int, ...]
    max_instances: int
    memory_bytes: int | None = None
    multiprocessors: int | None = None
    nvml_profile_id: int | None = None

    @property
    def holds_media(self) -> bool:
        return "+me" in self.key

    @property
    def plain(self) -> bool:
        """Whether it is a size and nothing else: no media (`+me`, `-me`) and no graphics (`+gfx`) variant."""
        return "+" not in self.key and "-" not in self.key


@dataclass(frozen=True, slots=True)
class MigGpu:
    """What one GPU can be cut into. `profiles` from smallest to largest; `source` is `table` or `nvml`."""

    compute_slices: int
    memory_slices: int
    profiles: tuple[MigProfile, ...]
    source: str = "table"

    def profile(self, key_or_name: str) -> MigProfile:
        """By size (`3g`) or by name (`3g.40gb`). Raises UnknownProfileError."""
        for profile in self.profiles:
            if key_or_name in (profile.key, profile.name):
                return profile
        known = ", ".join(profile.name for profile in self.profiles)
        raise UnknownProfileError(f"this GPU has no MIG profile {key_or_name!r}; it has {known}")

    @property
    def sizes(self) -> tuple[MigProfile, ...]:
        """The plain profiles, smallest first: what packing and sizing choose from."""
        return tuple(profile for profile in self.profiles if profile.plain)

    @property
    def whole(self) -> MigProfile:
        """The profile that takes all of the GPU."""
        return max(self.sizes, key=lambda profile: (profile.memory_slices, profile.compute_slices))

    def compute_share(self, profile: MigProfile) -> float:
        return profile.compute_slices / self.compute_slices

    def memory_share(self, profile: MigProfile) -> float:
        return profile.memory_slices / self.memory_slices


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """An instance on a GPU: the profile's key and its first memory slice."""

    start: int
    key: str


Layout = tuple[Slot, ...]


def conflict(gpu: MigGpu, layout: Iterable[Slot]) -> str | None:
    """Why these instances cannot stand together, as a sentence; None when the layout is legal."""
    taken: dict[int, Slot] = {}
    profiles = []
    for slot in layout:
        profile = gpu.profile(slot.key)
        profiles.append(profile)
        if slot.start not in profile.starts:
            return f"{slot.key} cannot start at memory slice {slot.start}; it can at {profile.starts}"
        for piece in range(slot.start, slot.start + profile.memory_slices):
            if piece in taken:
                return f"{slot.key}@{slot.start} and {taken[piece].key}@{taken[piece].start} share memory slice {piece}"
            taken[piece] = slot
    return _over_limit(gpu, profiles)


def free_starts(gpu: MigGpu, layout: Sequence[Slot], key: str) -> tuple[int, ...]:
    """Where one more instance of `key` can be created beside `layout`."""
    return tuple(s for s in gpu.profile(key).starts if conflict(gpu, (*layout, Slot(s, key))) is None)


def best_start(gpu: MigGpu, layout: Sequence[Slot], key: str) -> int | None:
    """The start that leaves most room: the sum, over sizes, of places left times their memory slices.

    Ties go to the highest start, as NVIDIA's own advice fills 1g from the end. None when nothing is free.
    """
    starts = free_starts(gpu, layout, key)
    return max(starts, key=lambda start: (_room(gpu, (*layout, Slot(start, key))), start), default=None)


def layouts(gpu: MigGpu, keys: Sequence[str] | None = None) -> tuple[Layout, ...]:
    """Every full layout (nothing can be added), one placement per multiset of sizes, largest sizes first.

    keys: sizes to use; None: all plain ones. A 7-slice GPU without 1gx2m has 14.
    """
    placed: dict[tuple[str, ...], Layout] = {}
    for layout in placed_layouts(gpu, keys):
        placed.setdefault(tuple(sorted(slot.key for slot in layout)), layout)
    return tuple(sorted(placed.values(), key=lambda layout: (len(layout), layout)))


def placed_layouts(gpu: MigGpu, keys: Sequence[str] | None = None) -> tuple[Layout, ...]:
    """Every full layout with its starts told apart: 19 on a 7-slice GPU without 1gx2m, as NVIDIA's guide draws."""
    return _full_layouts(gpu, tuple(gpu.profile(key) for key in keys) if keys is not None else gpu.sizes)


@cache  # pure, 50 ms for a 7-slice GPU, and asked for at every packing
def _full_layouts(gpu: MigGpu, profiles: tuple[MigProfile, ...]) -> tuple[Layout, ...]:
    walk = _walk(gpu, profiles, 0, ())
    return tuple(layout for layout in walk if not any(free_starts(gpu, layout, p.key) for p in profiles))


def _walk(gpu: MigGpu, profiles: Sequence[MigProfile], start: int, layout: Layout) -> Iterator[Layout]:
    """Every legal layout, built from memory slice 0 upwards, so that each comes once."""
    if start >= gpu.memory_slices:
        yield layout
        return
    yield from _walk(gpu, profiles, start + 1, layout)
    for profile in profiles:
        grown = (*layout, Slot(start, profile.key))
        if start in profile.starts and conflict(gpu, grown) is None:
            yield from _walk(gpu, profiles, start + profile.memory_slices, grown)


def _over_limit(gpu: MigGpu, profiles: Sequence[MigProfile]) -> str | None:
    compute = sum(profile.compute_slices for profile in profiles)
    if compute > gpu.compute_slices:
        return f"{compute} compute slices are asked for; the GPU has {gpu.compute_slices}"
    if sum(profile.holds_media for profile in profiles) > 1:
        return "only one instance may hold the media engines (+me)"
    for profile, count in Counter(profiles).items():
        if count > profile.max_instances:
            return f"{count} instances of {profile.key}; the GPU allows {profile.max_instances}"
    return None


def _room(gpu: MigGpu, layout: Layout) -> int:
    return sum(len(free_starts(gpu, layout, profile.key)) * profile.memory_slices for profile in gpu.sizes)
