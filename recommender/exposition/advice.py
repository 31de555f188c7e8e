"""MIG advice and GPU signals of single workloads. Both need the packed profile, so only some are looked at per pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.profile import GPU_SIGNALS_KEPT, PROFILE_FIELDS
from models.speed.artifact import SpeedModel
from models.speed.carried import carried_model
from recommender.exposition.text import Exposition
from recommender.exposition.workloads import Told
from recommender.gpu_seen import GpuHeld, GpuSeen, advise_slice, gpu_seen
from recommender.mig.choose import SliceAdvice, SlicePolicy
from recommender.view import Row
from stream.columns_codec import decode_columns

LOOKED_AT_PER_PASS = 100
"""Advice takes about 0.4 ms a workload, 40 ms a pass, in which requests share the interpreter with it. 2,000 workloads on
GPUs have theirs within 5 minutes, and a slice is not chosen anew every minute."""

_NEEDED = frozenset({"gpu_last_seen_ms", *(f.name for f in PROFILE_FIELDS if f.name.startswith("gpu_"))})
_RATIOS = tuple(name for name in GPU_SIGNALS_KEPT if name.endswith("_ratio"))


@dataclass(frozen=True, slots=True)
class Advised:
    """What was found of one workload, and from what."""

    packed: bytes
    held: GpuHeld | None
    seen: GpuSeen
    advice: SliceAdvice
    probe: str
    """Name of the slice to measure on; empty: none."""


class Advisor:
    """Keeps what was found until the profile or the GPU that it holds changes. Used by one thread."""

    def __init__(self, policy: SlicePolicy, per_pass: int = LOOKED_AT_PER_PASS) -> None:
        self._policy, self._per_pass = policy, per_pass
        self._known: dict[str, Advised] = {}
        self.behind = False
        """Whether some were left for the next pass."""

    def of(self, told: Told, held: Mapping[str, GpuHeld]) -> Mapping[int, Advised]:
        """By place in `told`. Those never looked at come first, then those looked at longest ago; the others stay as
        they were, or are left out for now."""
        places = np.flatnonzero(told["gpu_last_seen_ms"] > 0)
        rows = dict(zip(places.tolist(), told.snapshot.rows(told.places[places]), strict=True))
        stale = [row for row in rows.values() if not self._fresh(row, held.get(row.id))]
        ages = {workload: age for age, workload in enumerate(self._known)}
        stale.sort(key=lambda row: ages.get(row.id, -1))
        self.behind = len(stale) > self._per_pass
        for workload, found in self._look(stale[: self._per_pass], held):
            self._known.pop(workload, None)
            self._known[workload] = found
        there = {row.id for row in rows.values()}
        self._known = {workload: found for workload, found in self._known.items() if workload in there}
        return {place: self._known[row.id] for place, row in rows.items() if row.id in self._known}

    def _fresh(self, row: Row, held: GpuHeld | None) -> bool:
        known = self._known.get(row.id)
        return known is not None and known.packed is row.slab.packed_profile and known.held == held

    def _look(self, rows: Sequence[Row], held: Mapping[str, GpuHeld]) -> Iterator[tuple[str, Advised]]:
        """Each slab is unpacked once."""
        by_slab: dict[int, list[Row]] = {}
        for row in rows:
            by_slab.setdefault(id(row.slab), []).append(row)
        for same in by_slab.values():
            if packed := same[0].slab.packed_profile:
                profiles = decode_columns(packed, PROFILE_FIELDS, only=_NEEDED)
                place = {workload: n for n, workload in enumerate(profiles.workloads)}
                for row in (row for row in same if row.id in place):
                    seen = gpu_seen(profiles.take(np.array([place[row.id]])))
                    if seen is not None:
                        yield row.id, self._advised(packed, held.get(row.id), seen)

    def _advised(self, packed: bytes, held: GpuHeld | None, seen: GpuSeen) -> Advised:
        advice, mig = advise_slice(seen, held, self._model, self._policy)
        names = {profile.key: profile.name for profile in mig.sizes} if mig else {}
        return Advised(packed, held, seen, advice, names.get(advice.probe, ""))

    @cached_property
    def _model(self) -> SpeedModel:
        return carried_model()


def mig_advice(told: Told, found: Mapping[int, Advised], out: Exposition) -> None:
    """What to do about the GPU, and the speed that the slice keeps."""
    rows, every = np.fromiter(found, np.int64, len(found)), list(found.values())
    labels = told.labels.take(rows)
    advice = [one.advice for one in every]
    out.one(
        "sizewise_workload_mig_advice_info",
        labels.with_columns(
            action=[a.action for a in advice],
            mig_profile=[a.profile.name if a.profile else "" for a in advice],
            probe=[one.probe for one in every],
            reason=[_reason(a) for a in advice],
        ),
    )
    speeds = [a.speeds.get(a.profile.key, np.nan) if a.profile else np.nan for a in advice]
    out.add("sizewise_workload_mig_speed_ratio", labels, np.array(speeds, dtype=np.float64))


def gpu_signals(told: Told, found: Mapping[int, Advised], out: Exposition) -> None:
    """Means of what the GPUs of each workload did."""
    rows, seen = np.fromiter(found, np.int64, len(found)), [one.seen for one in found.values()]
    labels = told.labels.take(rows)
    for signal in _RATIOS:
        values = np.array([one.means.get(signal, np.nan) for one in seen], dtype=np.float64)
        out.add("sizewise_workload_gpu_activity_ratio", labels.plus(signal=signal), values)
    watts = np.array([one.means.get("power_watts", np.nan) for one in seen], dtype=np.float64)
    out.add("sizewise_workload_gpu_power_watts", labels, watts)
    peaks = np.array([one.framebuffer_peak_bytes or np.nan for one in seen], dtype=np.float64)
    out.add("sizewise_workload_gpu_memory_peak_bytes", labels, peaks)


def _reason(advice: SliceAdvice) -> str:
    """The code that says why: of an outcome the outcome's, else the first."""
    codes = [because.code for because in advice.because]
    return next((code for code in codes if code in ("slice-speed", "no-slice")), codes[0] if codes else "")
