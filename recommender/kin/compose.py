"""A guess over kin, and the job's own first telemetry, into an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bottleneck import Bottleneck
from models.workload import WorkloadName
from recommender.kin.answer import Expected, KinAnswer, Relative
from recommender.kin.guess import Guess
from recommender.kin.job import JobFacts
from recommender.kin.known import Kin
from recommender.kin.measured import COLUMNS, MEMORY, QUANTITIES, SHARE, Measured
from recommender.kin.told import Told

Floats = NDArray[np.float64]

SHOWN = 5
_RUN_TIME = QUANTITIES.index("run_time_s")
_PEAKS = [k for k, name in enumerate(QUANTITIES) if "_peak_" in name]
_TRIPLES = (slice(0, 3), slice(3, 6))
"""Median, 95th percentile and peak of CPU and of memory: none is below the one before."""
_OWN_LEAST = 0.1
"""Of the interval over kin, what is left however long the job itself was seen: days differ."""
_ON_AND_ON = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "unit"})

_NOBODY = "no workload of this kind is known yet: let some run under the collector"
_NO_GPU = "it asks for no GPU"
_NO_GPU_KIN = "it does not say whether it has a GPU, and most of its kin have none"
_RUNS_ON = "a service runs on and on"
_NO_RUN = "no run of any known workload has ended yet: a run ends with an hour of silence"
_NO_INTERVAL = "too few workloads are known to state an interval; it takes nine"
_NO_KIN = "no known workload shares a word with it: the guess is what all workloads here need"
_NO_CLASS = "no bottleneck class of its kin is known"


@dataclass(frozen=True, slots=True)
class Guessed:
    """factor [Q], by_share: of recommender.kin.calibrate; own: row of the job itself, where it is known; gpu: it has some;
    board_bytes: of one GPU, NaN where that is not known."""

    guess: Guess
    factor: Floats
    own: int | None
    gpu: bool
    by_share: bool
    board_bytes: float


def mostly_gpu(measured: Measured, kin: Kin) -> bool:
    """Whether kin that have GPUs weigh more than those that have none."""
    gpu = measured.gpu[kin.rows]
    return bool(kin.worth[gpu].sum() > kin.worth[~gpu].sum())


def answer(measured: Measured, told: Sequence[Told], job: JobFacts, kin: Kin, found: Guessed) -> KinAnswer:
    trust = _trust(measured, found.own)
    ends = _ends(measured, found, trust)
    missing = _missing(job, ends.guess, found.gpu)
    demand = {name: ends.of(k) for k, name in enumerate(QUANTITIES) if name not in missing}
    if any(np.isinf(one.high) for one in demand.values()):
        missing["high"] = _NO_INTERVAL
    classes = _classes(measured, kin, found.own, float(trust.max()))
    missing |= {} if classes else {"bottleneck": _NO_CLASS}
    missing |= {} if len(kin.rows) else {"kin": _NO_KIN}
    weight, headline = float(kin.likeness.sum()), next(iter(classes), None)
    return KinAnswer(
        demand, headline, classes, _relatives(measured, told, kin), weight, float(trust.max()), missing
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Ends:
    """[COLUMNS] each, in the units of QUANTITIES."""

    guess: Floats
    low: Floats
    high: Floats

    def of(self, k: int) -> Expected:
        low = float(self.low[k]) if np.isfinite(self.high[k]) else 0.0
        return Expected(float(self.guess[k]), low, float(self.high[k]))


def _trust(measured: Measured, own: int | None) -> Floats:
    """[Q]: the part of the answer that is the job's own telemetry."""
    if own is None:
        return np.zeros(COLUMNS)
    return np.where(np.isnan(measured.logs[own]), 0.0, measured.trust[own])


def _ends(measured: Measured, found: Guessed, trust: Floats) -> _Ends:
    """Kin and the job's own telemetry, by their logarithms; never below a peak that was seen nor above the board."""
    logs = np.full(COLUMNS, np.nan) if found.own is None else measured.logs[found.own]
    mixed = trust * np.nan_to_num(logs) + (1 - trust) * np.nan_to_num(found.guess.middle)
    middle = np.where(trust > 0, mixed, found.guess.middle)
    half = (found.factor * found.guess.spread + found.guess.base) * np.maximum(1 - trust, _OWN_LEAST)
    values = np.exp(np.stack([middle, middle - half, middle + half]))
    if found.by_share and np.isfinite(found.board_bytes * middle[SHARE]):
        values[:, MEMORY] = values[:, SHARE] * found.board_bytes
    values[:, _PEAKS] = np.fmax(values[:, _PEAKS], np.exp(logs)[_PEAKS])
    if np.isfinite(found.board_bytes):
        values[:, MEMORY] = np.minimum(values[:, MEMORY], found.board_bytes)
    for triple in _TRIPLES:
        values[:, triple] = np.fmax.accumulate(values[:, triple], axis=1)
    return _Ends(*values)


def _missing(job: JobFacts, guess: Floats, gpu: bool) -> dict[str, str]:
    found = {name: _NOBODY for k, name in enumerate(QUANTITIES) if np.isnan(guess[k])}
    if not gpu:
        found[QUANTITIES[MEMORY]] = _NO_GPU_KIN if job.gpus is None else _NO_GPU
    if _kind(job.workload) in _ON_AND_ON:
        found[QUANTITIES[_RUN_TIME]] = _RUNS_ON
    elif QUANTITIES[_RUN_TIME] in found:
        found[QUANTITIES[_RUN_TIME]] = _NO_RUN
    return found


def _kind(workload: str) -> str:
    try:
        return WorkloadName.parse(workload).kind
    except ValueError:
        return ""


def _classes(measured: Measured, kin: Kin, own: int | None, trust: float) -> dict[Bottleneck, float]:
    """Share of time in each class, largest first, of kin and of the job itself."""
    shares = _shares(kin.worth @ measured.classes[kin.rows])
    if own is not None and measured.classes[own].any():
        shares = _shares(trust * measured.classes[own] + (1 - trust) * shares)
    order = np.argsort(-shares, kind="stable")
    return {Bottleneck(k): float(shares[k]) for k in order.tolist() if shares[k] > 0}


def _shares(values: Floats) -> Floats:
    total = values.sum()
    return values / total if total > 0 else values


def _relatives(measured: Measured, told: Sequence[Told], kin: Kin) -> tuple[Relative, ...]:
    worth = _shares(kin.worth)
    return tuple(
        Relative(
            measured.workloads[row],
            float(1 - np.sqrt(min(kin.likeness[k], 1.0))),
            float(worth[k]),
            told[row].image,
            told[row].command,
        )
        for k, row in enumerate(kin.rows[:SHOWN].tolist())
    )
