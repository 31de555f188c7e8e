"""A job without a history: what workloads like it came to need."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator

from models.bottleneck import Bottleneck as Class
from recommender.access.scope import Scope
from recommender.api.decide_body import JobRequest
from recommender.api.decide_evidence import Evidence
from recommender.api.decide_sizes import Known
from recommender.api.place_body import BottleneckWord
from recommender.kin.answer import Expected, KinAnswer
from recommender.kin.index import KinIndex
from recommender.kin.job import JobFacts
from recommender.kin.keeper import KinKeeper
from recommender.mig.eligible import Because
from recommender.view import Snapshot

_LEAST_WEIGHT = 1.0
"""Kin count from here on: they are worth one workload that is just like the job."""
_WIDEST = 8.0
"""An interval that reaches further than this times its guess sizes nothing."""
_MEMORY_MARGIN = 1.15
"""On top of the interval, of which one job in ten is outside: memory that is short kills."""
_KEPT_S, _MOST_SCOPES = 60.0, 64
_GIB = 2**30
_WORDS: dict[Class, BottleneckWord] = {
    Class.COMPUTE: "compute",
    Class.MEMORY_BANDWIDTH: "memory-bandwidth",
    Class.LATENCY: "latency",
    Class.IDLE: "idle",
}


class _Made:
    """The index of one scope. Who asks for another does not wait for it, which would tell that somebody asks."""

    def __init__(self) -> None:
        self._lock, self._at_s = threading.Lock(), 0.0
        self._index: KinIndex | None = None

    def index(self, seen: Snapshot, now: Callable[[], float]) -> KinIndex:
        with self._lock:
            if self._index is None or now() - self._at_s > _KEPT_S:
                self._at_s, self._index = now(), KinIndex.of(seen)
            return self._index


class KinOf:
    """The index of kin that an asker may be told of: of everything, kept by a thread; of a scope its own workloads alone,
    made when it is asked for and kept a minute."""

    def __init__(self, keeper: KinKeeper, now: Callable[[], float]) -> None:
        self._keeper, self._now, self._lock = keeper, now, threading.Lock()
        self._made: dict[tuple[str, ...], _Made] = {}

    def index(self, seen: Snapshot, scope: Scope) -> KinIndex:
        """seen: what the scope sees of the newest snapshot."""
        if scope.everywhere:
            return self._keeper.index
        with self._lock:
            made = self._made[scope.namespaces] = self._made.pop(scope.namespaces, _Made())
            while len(self._made) > _MOST_SCOPES:
                self._made.pop(next(iter(self._made)))
        return made.index(seen, self._now)


def kin_evidence(index: KinIndex, workload: str, job: JobRequest) -> Evidence | None:
    """None where nothing like it is known."""
    found = index.predict(_facts(workload, job))
    if found.kin_weight < _LEAST_WEIGHT or not found.kin:
        return None
    known = _known(found, "cpu_p95_cores"), _known(found, "memory_peak_bytes")
    run_time = found.demand.get("run_time_s")
    return Evidence(
        workload,
        "kin",
        known,
        confidence=found.kin_weight / (found.kin_weight + 1),
        run_time_s=None if run_time is None else run_time.guess,
        bottleneck=None if found.bottleneck is None else _WORDS.get(found.bottleneck),
        kin=tuple(relative.workload for relative in found.kin),
        because=tuple(_because(found)),
    )


def _facts(workload: str, job: JobRequest) -> JobFacts:
    return JobFacts(
        workload,
        job.image,
        [*job.command, *job.args],
        labels=job.labels,
        owner=job.owner,
        gpu_model=job.gpu_models[0] if job.gpu_models else "",
        gpus=job.gpus,
        cpu_cores=job.cpu_cores,
        memory_bytes=job.memory_bytes,
    )


def _known(found: KinAnswer, name: str) -> Known:
    """Sized by the upper end of the interval, which nine in ten such jobs stay under. Under the guess it is too small."""
    told = found.demand.get(name)
    if told is None:
        return Known(because=(Because("kin-unknown", found.missing.get(name, "its kin do not tell")),))
    if not math.isfinite(told.high) or told.high > _WIDEST * told.guess:
        said = f"its kin disagree: {_range(told, name)}; what is asked for stays"
        return Known(because=(Because("kin-disagree", said),))
    target = told.high * (_MEMORY_MARGIN if name.startswith("memory") else 1.0)
    return Known(target, told.guess, target, because=(Because("kin", f"as its kin need: {_range(told, name)}"),))


def _range(told: Expected, name: str) -> str:
    scale, unit = (_GIB, "GiB") if name.endswith("bytes") else (1, "cores")
    high = f"{told.high / scale:.3g}" if math.isfinite(told.high) else "no bound"
    return f"{told.guess / scale:.3g} {unit}, in nine of ten cases from {told.low / scale:.3g} to {high}"


def _because(found: KinAnswer) -> Iterator[Because]:
    nearest = found.kin[0]
    said = f"no history of its own: told from {len(found.kin)} workloads like it, {nearest.workload} before all"
    yield Because("kin", said)
    if (memory := found.demand.get("gpu_memory_peak_bytes")) is not None:
        yield Because("kin-gpu-memory", f"device memory as its kin need: {_range(memory, 'gpu_memory_peak_bytes')}")
