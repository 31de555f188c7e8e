"""The words of the workloads of each slab, kept from one index to the next: to read them anew takes 15 us a workload."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from recommender.kin.texts import Listed
from recommender.kin.told import Told
from recommender.kin.words import of_workload
from recommender.view import SlabKey


@dataclass(frozen=True, slots=True)
class _Kept:
    workloads: Sequence[str]
    told: Sequence[Told]
    listed: Listed


@dataclass(slots=True)
class Words:
    """Used by one thread at a time."""

    _kept: dict[SlabKey, _Kept] = field(default_factory=dict)

    def listed(self, key: SlabKey, workloads: Sequence[str], told: Sequence[Told]) -> Listed:
        """Of a slab; read anew only where its workloads, or what nodes tell of them, changed."""
        kept = self._kept.get(key)
        if kept is None or kept.workloads != workloads or kept.told != told:
            texts = [of_workload(w, one.image, one.command) for w, one in zip(workloads, told, strict=True)]
            kept = self._kept[key] = _Kept(workloads, told, Listed.of(texts))
        return kept.listed

    def keep_only(self, keys: Collection[SlabKey]) -> None:
        for key in [key for key in self._kept if key not in keys]:
            del self._kept[key]
