"""What a job will need that has not run: device memory and run time, from kin on other GPUs, by the product's own index."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.fingerprint_data import Run
from bench.report import Cell
from models.bottleneck import CLASSES
from recommender.kin.answer import Expected
from recommender.kin.calibrate import conformal, sample_of_each
from recommender.kin.index import Asked, KinIndex
from recommender.kin.job import JobFacts
from recommender.kin.measured import BOARD, COLUMNS, LEAST, MEMORY, QUANTITIES, SHARE, SIZES, Floats, Measured
from recommender.kin.texts import Listed, Texts
from recommender.kin.told import NOTHING
from recommender.kin.words import of_job, of_workload

_GPUS, _TIME = SIZES.index("gpus"), QUANTITIES.index("run_time_s")
_HOURS, _WORKLOADS, _ASKED = 10.0, 100_000, 200
Names = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class _Intervals:
    """Of every run [n]: the guess, and the ends of its 90 % interval, over the truth."""

    guess: Floats
    low: Floats
    high: Floats

    @classmethod
    def blank(cls, n: int) -> _Intervals:
        return cls(np.zeros(n), np.zeros(n), np.zeros(n))

    def put(self, k: int, one: Expected, truth: float) -> None:
        self.guess[k], self.low[k], self.high[k] = one.guess / truth, one.low / truth, one.high / truth

    def figures(self, name: str, chips: Names) -> dict[str, float]:
        inside = (self.low <= 1) & (self.high >= 1 - 1e-9)
        half = (self.high - self.low) / 2 / self.guess
        by_chip = [float(inside[chips == chip].mean()) for chip in np.unique(chips)]
        return {
            f"{name}coverage": float(inside.mean()),
            f"{name}half_width": float(np.median(half)),
            f"{name}coverage_by_chip": float(np.mean(by_chip)),
        }

    def row(self, name: str, chips: Names) -> dict[str, Cell]:
        figures = self.figures("", chips)
        half = (self.high - self.low) / 2 / self.guess
        inside = (self.low <= 1) & (self.high >= 1 - 1e-9)
        return {
            "answer": name, "error": float(np.abs(self.guess - 1).mean()), "covered": figures["coverage"],
            "half width": figures["half_width"], "mean half width": float(half.mean()), "by chip": figures["coverage_by_chip"],
            "worst chip": min(float(inside[chips == chip].mean()) for chip in np.unique(chips)),
        }  # fmt: skip


def kin_figures(live: Sequence[Run], chips: Names) -> tuple[dict[str, float], list[dict[str, Cell]]]:
    """A chip is left out at a time: the index knows nothing of it. The job says family, precision, GPUs and the board."""
    known = _measured(live, chips)
    memory, run_time = _by_kin(known, chips)
    constant = _constant_share(known, chips)
    rows = [
        constant.row("cold start of memory: one share for all", chips),
        memory.row("sizewise, cold start of memory, by kin", chips),
        run_time.row("sizewise, cold start of run time, by kin", chips),
    ]
    figures = memory.figures("coldstart_", chips) | run_time.figures("coldstart_run_time_", chips)
    return figures | _speed(known), rows


def _by_kin(known: Measured, chips: Names) -> tuple[_Intervals, _Intervals]:
    words = [of_workload(workload) for workload in known.workloads]
    memory, run_time = _Intervals.blank(len(chips)), _Intervals.blank(len(chips))
    for chip in np.unique(chips):
        rest = np.flatnonzero(chips != chip)
        texts = Texts.of([Listed.of([words[k] for k in rest])])
        index = KinIndex.over(_taken(known, rest), texts, [NOTHING] * len(rest))
        for k in np.flatnonzero(chips == chip).tolist():
            job = JobFacts(known.workloads[k], gpus=1)
            answer = index.expect(job, Asked(texts.similarity(of_job(job)), known.sizes[k], True, int(known.board[k])))
            for found, quantity in ((memory, MEMORY), (run_time, _TIME)):
                found.put(k, answer.demand[QUANTITIES[quantity]], float(np.exp(known.logs[k, quantity])))
    return memory, run_time


def _constant_share(known: Measured, chips: Names) -> _Intervals:
    """The median share of all other chips; as wide as what it misses each of them by without itself, chips alike."""
    found, share, board = _Intervals.blank(len(chips)), known.logs[:, SHARE], known.sizes[:, BOARD]
    for chip in np.unique(chips):
        rest = np.flatnonzero(chips != chip)
        picked = rest[sample_of_each(known.board[rest])]
        without = {one: float(np.median(share[rest[chips[rest] != one]])) for one in np.unique(chips[rest])}
        reach = conformal(np.array([abs(share[k] - without[chips[k]]) for k in picked]))
        middle = float(np.median(share[rest]))
        for k in np.flatnonzero(chips == chip).tolist():
            guess, low, high = (float(np.exp(min(middle + reach * side, 0.0) + board[k])) for side in (0, -1, 1))
            found.put(k, Expected(guess, low, high), float(np.exp(known.logs[k, MEMORY])))
    return found


def _measured(live: Sequence[Run], chips: Names) -> Measured:
    """Each run as a workload of its own. A card's code stands for the chip."""
    logs, sizes = np.full((len(live), COLUMNS), np.nan), np.full((len(live), len(SIZES)), np.nan)
    board = np.array([run.window.board.memory_bytes for run in live])
    logs[:, MEMORY] = np.log([run.window.signals["framebuffer_used_bytes"].max() for run in live])
    logs[:, _TIME] = np.log([len(run.window) * run.window.interval_s for run in live])
    logs[:, SHARE] = np.maximum(logs[:, MEMORY] - np.log(board), np.log(LEAST[SHARE]))
    sizes[:, _GPUS], sizes[:, BOARD] = np.log([run.window.board.gpus for run in live]), np.log(board)
    names = [f"lambda/bench/Job/{run.family}-{run.precision}/r{k}" for k, run in enumerate(live)]
    codes = np.unique(chips, return_inverse=True)[1].astype(np.uint32) + np.uint32(1)
    trust = np.full(logs.shape, _HOURS / (_HOURS + 1))
    return Measured(names, logs, sizes, trust, np.ones(len(live), dtype=bool), codes, np.zeros((len(live), CLASSES)))


def _taken(known: Measured, rows: NDArray[np.intp]) -> Measured:
    return Measured(
        [known.workloads[k] for k in rows],
        known.logs[rows],
        known.sizes[rows],
        known.trust[rows],
        known.gpu[rows],
        known.board[rows],
        known.classes[rows],
    )


def _speed(known: Measured) -> dict[str, float]:
    """100,000 workloads: the same rows under other names. Processor seconds of one core."""
    rows = np.resize(np.arange(len(known.workloads)), _WORKLOADS)
    many = _taken(known, rows)
    names = [f"c{k % 7}/team{k % 97}/Job/{name.split('/')[3]}-{k % 3001}/main" for k, name in enumerate(many.workloads)]
    began = time.process_time()
    listed = Listed.of([of_workload(name) for name in names])
    read = time.process_time()
    index = KinIndex.over(many, Texts.of([listed]), [NOTHING] * len(names))
    built = time.process_time()
    for name in names[:_ASKED]:
        index.predict(JobFacts(name.replace("team", "crew"), image="ghcr.io/ml/train:1", gpus=1))
    asked = time.process_time()
    return {
        "kin_words_s": read - began,
        "kin_index_s": built - read,
        "kin_one_ms": (asked - built) / _ASKED * 1000,
    }
