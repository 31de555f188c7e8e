"""Which GPUs of one node a job takes: those nearest to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from math import comb

LINK_SCORES: Mapping[str, float] = {"nvlink": 1.0, "pcie-switch": 0.6, "numa": 0.3, "system": 0.0}
"""How well two GPUs talk, by models.inventory.GpuLink.kind."""
_MOST_SETS = 3500
"""16 GPUs have 12,870 sets of 8, which take half a second; up to 14 GPUs every set is looked at."""
Links = Mapping[tuple[int, int], str]


def nearest_slots(links: Links, free: Sequence[int], count: int) -> tuple[tuple[int, ...], str | None]:
    """(slots, weakest link among them): of the free slots the `count` whose weakest link is strongest, the first of
    equals. The link is None where one GPU is enough or a link is not known; then the first free slots are taken."""
    first = tuple(free[:count])
    if count < 2 or not links:
        return first, None
    return _nearest(frozenset(links.items()), tuple(free), count)


@lru_cache(maxsize=4096)  # pure; nodes of one machine type have the same links, and ask for the same
def _nearest(
    links: frozenset[tuple[tuple[int, int], str]], free: tuple[int, ...], count: int
) -> tuple[tuple[int, ...], str | None]:
    kinds = dict(links)
    first = _weakest(kinds, free[:count])
    if first == "nvlink" or comb(len(free), count) > _MOST_SETS:
        return free[:count], first
    weakest = {slots: _weakest(kinds, slots) for slots in combinations(free, count)}
    known = {slots: kind for slots, kind in weakest.items() if kind is not None}
    if not known:
        return free[:count], None
    best = max(known, key=lambda slots: LINK_SCORES.get(known[slots], 0.0))  # the first of equals
    return best, known[best]


def _weakest(kinds: Links, slots: tuple[int, ...]) -> str | None:
    found = [kinds.get((a, b), kinds.get((b, a))) for a, b in combinations(slots, 2)]
    known = [kind for kind in found if kind is not None]
    return min(known, key=lambda kind: LINK_SCORES.get(kind, 0.0)) if len(known) == len(found) else None
