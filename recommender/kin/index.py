"""All known workloads, ready to be asked who is like a job and what that one will need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.kin import compose
from recommender.kin.answer import KinAnswer
from recommender.kin.calibrate import factors, sample
from recommender.kin.guess import Guess, Population, guess
from recommender.kin.job import JobFacts
from recommender.kin.known import Kin
from recommender.kin.measured import SIZE_SCALE, Measured, sizes_of
from recommender.kin.texts import Texts
from recommender.kin.told import NOTHING, Told, told_of
from recommender.kin.words import of_job
from recommender.kin.words_kept import Words
from recommender.view import Snapshot

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_CANDIDATES = 64
_LEAST_SIMILARITY = 0.02
_SHARPNESS = 2
"""Power of similarity that is kin's weight: half as similar counts a quarter."""
_OTHER_DEVICE = 0.1
"""Weight kept by kin with a GPU of a job without, and the other way round."""


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
    factor: Floats
    """[Q]: spreads that an interval reaches beyond its base, either way."""

    @classmethod
    def of(cls, snapshot: Snapshot, words: Words | None = None) -> KinIndex:
        """words: what is known of an index before, to be used again; it takes up what is new."""
        said, words = told_of(snapshot.nodes), words or Words()
        told, parts = [], []
        for key, slab in snapshot.slabs.items():
            of_slab = [said.get(workload, NOTHING) for workload in slab.ids]
            told += of_slab
            parts.append(words.listed(key, slab.ids, of_slab))
        words.keep_only(snapshot.slabs)
        measured = Measured.of(snapshot, [one.command for one in told])
        everyone = Population.of(measured.logs)
        without, with_gpu = (Population.of(measured.logs[measured.gpu == g]).or_else(everyone) for g in (False, True))
        place = {workload: k for k, workload in enumerate(measured.workloads)}
        unknown = np.full(measured.logs.shape[1], np.inf)
        bare = cls(measured, Texts.of(parts), told, place, (without, with_gpu), unknown)
        return replace(bare, factor=bare._calibrated())

    def __len__(self) -> int:
        return len(self.measured.workloads)

    def predict(self, job: JobFacts) -> KinAnswer:
        """What a job will need. If it is known itself, its own telemetry counts the more the longer it was seen."""
        own = self.place.get(job.workload)
        likeness, sizes = self.texts.similarity(of_job(job)), sizes_of(job)
        gpu = None if job.gpus is None else job.gpus > 0
        kin = self._kin(likeness, sizes, gpu, own)
        has_gpu = gpu if gpu is not None else compose.mostly_gpu(self.measured, kin)
        found = self._guess(kin, has_gpu)
        return compose.answer(self.measured, self.told, job, kin, compose.Guessed(found, self.factor, own, has_gpu))

    def _kin(self, similarity: Floats, sizes: Floats, gpu: bool | None, without: int | None) -> Kin:
        rows = _nearest(similarity, without)
        apart = np.nan_to_num(np.abs(self.measured.sizes[rows] - sizes) / SIZE_SCALE).sum(axis=1)
        likeness = similarity[rows] ** _SHARPNESS * np.exp(-apart)
        if gpu is not None:
            likeness = np.where(self.measured.gpu[rows] == gpu, likeness, likeness * _OTHER_DEVICE)
        order = np.argsort(-likeness, kind="stable")
        rows, likeness = rows[order], likeness[order]
        return Kin(rows, likeness, likeness[:, None] * self.measured.trust[rows])

    def _guess(self, kin: Kin, gpu: bool) -> Guess:
        return guess(self.measured.logs[kin.rows], kin.weights, self.populations[gpu])

    def _calibrated(self) -> Floats:
        known = np.flatnonzero(~np.isnan(self.measured.logs).all(axis=1))
        asked = known[sample(len(known))]
        misses = np.full((len(asked), self.measured.logs.shape[1]), np.nan)
        spreads, bases = np.ones_like(misses), np.zeros_like(misses)
        for k, row in enumerate(asked.tolist()):
            gpu = bool(self.measured.gpu[row])
            found = self._guess(self._kin(self.texts.similarity_of(row), self.measured.sizes[row], gpu, row), gpu)
            misses[k], spreads[k], bases[k] = self.measured.logs[row] - found.middle, found.spread, found.base
        return factors(misses, spreads, bases)


def _nearest(similarity: Floats, without: int | None) -> Indices:
    """Rows of the most similar, at most 64; of equals the first ones, so that the same question has the same answer."""
    found = np.flatnonzero(similarity >= _LEAST_SIMILARITY)
    if without is not None:
        found = found[found != without]
    if len(found) > _CANDIDATES:
        least = np.partition(similarity[found], -_CANDIDATES)[-_CANDIDATES]
        found = found[similarity[found] >= least]
    return found[np.argsort(-similarity[found], kind="stable")][:_CANDIDATES]
