"""All known workloads, ready to be asked who is like a job and what that one will need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.hardware.discovery import code_of
from recommender.kin import compose
from recommender.kin.answer import KinAnswer
from recommender.kin.calibrate import Calibration, factors, sample, sample_of_each
from recommender.kin.guess import Guess, Population, guess
from recommender.kin.job import JobFacts
from recommender.kin.known import Kin
from recommender.kin.measured import BOARD, COLUMNS, MEMORY, SHARE, SIZE_SCALE, Measured, sizes_of
from recommender.kin.texts import Texts
from recommender.kin.told import NOTHING, Told, told_of
from recommender.kin.words import of_job
from recommender.kin.words_kept import Words
from recommender.view import Snapshot

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_CANDIDATES = 32
_LEAST_SIMILARITY = 0.02
_SHARPNESS = 2
"""Power of similarity that is kin's weight: half as similar counts a quarter."""
_OTHER_DEVICE = 0.1
"""Weight kept by kin with a GPU of a job without, and the other way round."""


_BOARDS = 3
"""GPU models from which on it can be told how guesses hold on one that nobody has."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A job as it is compared: similarity of its words [n], its sizes, whether it has GPUs, and code of their model."""

    similarity: Floats
    sizes: Floats
    gpu: bool | None
    board: int


@dataclass(frozen=True, slots=True)
class KinIndex:
    """Immutable; made once per snapshot (0.5 s for 100,000 workloads whose words are known from before, 3 s for new ones)
    and asked by any thread, at about a millisecond a question."""

    measured: Measured
    texts: Texts
    told: Sequence[Told]
    place: Mapping[str, int]
    populations: tuple[Population, Population]
    """Of workloads without and with GPUs."""
    calibration: Calibration

    @classmethod
    def of(cls, snapshot: Snapshot, words: Words | None = None, calibration: Calibration | None = None) -> KinIndex:
        """words: what is known of an index before, to be used again; it takes up what is new. calibration: of an index
        before, where that still holds; None: it is measured."""
        said, words = told_of(snapshot.nodes), words or Words()
        told, parts = [], []
        for key, slab in snapshot.slabs.items():
            of_slab = [said.get(workload, NOTHING) for workload in slab.ids]
            told += of_slab
            parts.append(words.listed(key, slab.ids, of_slab))
        words.keep_only(snapshot.slabs)
        measured = Measured.of(snapshot, [one.command for one in told])
        return cls.over(measured, Texts.of(parts), told, calibration)

    @classmethod
    def over(
        cls, measured: Measured, texts: Texts, told: Sequence[Told], calibration: Calibration | None = None
    ) -> KinIndex:
        """From columns of one length."""
        everyone = Population.of(measured.logs)
        without, with_gpu = (Population.of(measured.logs[measured.gpu == g]).or_else(everyone) for g in (False, True))
        place = {workload: k for k, workload in enumerate(measured.workloads)}
        made = cls(measured, texts, told, place, (without, with_gpu), calibration or Calibration.unknown(COLUMNS))
        return made if calibration else replace(made, calibration=made._calibrated())

    def __len__(self) -> int:
        return len(self.measured.workloads)

    def predict(self, job: JobFacts) -> KinAnswer:
        """What a job will need. If it is known itself, its own telemetry counts the more the longer it was seen."""
        gpu = None if job.gpus is None else job.gpus > 0
        return self.expect(job, Asked(self.texts.similarity(of_job(job)), sizes_of(job), gpu, code_of(job.gpu_model)))

    def expect(self, job: JobFacts, asked: Asked) -> KinAnswer:
        """The same for who knows the job's sizes and board otherwise than by the catalogue."""
        own = self.place.get(job.workload)
        kin = self._kin(asked, None if own is None else np.arange(len(self)) == own)
        has_gpu = asked.gpu if asked.gpu is not None else compose.mostly_gpu(self.measured, kin)
        known = not asked.board or bool((self.measured.board == asked.board).any())
        factor = self.calibration.factor if known else self.calibration.new_board
        board = float(np.exp(asked.sizes[BOARD]))
        guessed = compose.Guessed(self._guess(kin, has_gpu), factor, own, has_gpu, self.calibration.by_share, board)
        return compose.answer(self.measured, self.told, job, kin, guessed)

    def _kin(self, asked: Asked, without: NDArray[np.bool_] | None) -> Kin:
        rows = _nearest(asked.similarity, without)
        apart = np.nan_to_num(np.abs(self.measured.sizes[rows] - asked.sizes) / SIZE_SCALE).sum(axis=1)
        likeness = asked.similarity[rows] ** _SHARPNESS * np.exp(-apart)
        if asked.gpu is not None:
            likeness = np.where(self.measured.gpu[rows] == asked.gpu, likeness, likeness * _OTHER_DEVICE)
        order = np.argsort(-likeness, kind="stable")
        rows, likeness = rows[order], likeness[order]
        return Kin(rows, likeness, likeness[:, None] * self.measured.trust[rows])

    def _guess(self, kin: Kin, gpu: bool) -> Guess:
        return guess(self.measured.logs[kin.rows], kin.weights, self.populations[gpu])

    def _calibrated(self) -> Calibration:
        known = np.flatnonzero(~np.isnan(self.measured.logs).all(axis=1))
        boards = known[self.measured.board[known] > 0]
        factor, _ = self._factors(known[sample(len(known))], with_board=True)
        if len(np.unique(self.measured.board[boards])) < _BOARDS:
            return Calibration(factor, factor, False)
        new_board, width = self._factors(boards[sample_of_each(self.measured.board[boards])], with_board=False)
        share = bool(width[SHARE] < width[MEMORY])
        return Calibration(factor, np.fmax(factor, new_board), share)

    def _factors(self, rows: Indices, with_board: bool) -> tuple[Floats, Floats]:
        """Factors [Q] and usual half widths [Q] of these workloads, each without itself, or without all of its GPU model."""
        misses = np.full((len(rows), COLUMNS), np.nan)
        spreads, bases = np.ones_like(misses), np.zeros_like(misses)
        for k, row in enumerate(rows.tolist()):
            measured, gpu = self.measured, bool(self.measured.gpu[row])
            asked = Asked(self.texts.similarity_of(row), measured.sizes[row], gpu, int(measured.board[row]))
            without = np.arange(len(self)) == row if with_board else measured.board == asked.board
            found = self._guess(self._kin(asked, without), gpu)
            misses[k], spreads[k], bases[k] = measured.logs[row] - found.middle, found.spread, found.base
        factor = factors(misses, spreads, bases)
        return factor, factor * np.median(spreads, axis=0) + np.median(bases, axis=0) if len(rows) else factor


def _nearest(similarity: Floats, without: NDArray[np.bool_] | None) -> Indices:
    """Rows of the most similar, at most 32; of equals the first ones, so that the same question has the same answer."""
    enough = similarity >= _LEAST_SIMILARITY
    found = np.flatnonzero(enough if without is None else enough & ~without)
    if len(found) > _CANDIDATES:
        least = np.partition(similarity[found], -_CANDIDATES)[-_CANDIDATES]
        found = found[similarity[found] >= least]
    return found[np.argsort(-similarity[found], kind="stable")][:_CANDIDATES]
