"""Who shares rare words with a job: an inverted index over the tokens of all known workloads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.kin.words import Tokens

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_EVERYWHERE = 0.25
"""Share of all workloads above which a token says nothing."""
_ALONE = 0.25
"""Part of its weight that a token keeps which only one workload has: a counter or a hash, mostly, and it can find no kin. But
where all of a job's words are such, nobody is like it."""
_FEW = 1000
"""Under that many workloads every token counts: to look at them all costs nothing."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Tokens of some workloads as columns: code and weight [t], and how many tokens each workload has [n]."""

    code: NDArray[np.uint32]
    weight: NDArray[np.float32]
    counts: Indices

    @classmethod
    def of(cls, texts: Sequence[Tokens]) -> Listed:
        """Codes of one workload ascend, so that the order of its words changes no sum."""
        rows = [sorted(text.items()) for text in texts]
        code = np.array([code for row in rows for code, _ in row], dtype=np.uint32)
        weight = np.array([weight for row in rows for _, weight in row], dtype=np.float32)
        return cls(code, weight, np.array([len(row) for row in rows], dtype=np.intp))


@dataclass(frozen=True, slots=True)
class Texts:
    """code [u], ascending, with postings starts[u] to starts[u + 1]: row and weight of each; idf [u].
    row_starts [n + 1], row_code and row_weight: the same by workload. length [n]: Euclidean, of what idf leaves."""

    code: NDArray[np.uint32]
    starts: Indices
    row: NDArray[np.int32]
    weight: NDArray[np.float32]
    idf: Floats
    row_starts: Indices
    row_code: NDArray[np.intp]
    row_weight: NDArray[np.float32]
    length: Floats

    @classmethod
    def of(cls, parts: Sequence[Listed]) -> Texts:
        """Workloads of all parts, in order."""
        code = np.concatenate([np.empty(0, np.uint32), *(part.code for part in parts)])
        weight = np.concatenate([np.empty(0, np.float32), *(part.weight for part in parts)])
        counts = np.concatenate([np.empty(0, np.intp), *(part.counts for part in parts)])
        n = len(counts)
        row = np.repeat(np.arange(n, dtype=np.int32), counts)
        order = np.argsort(code, kind="stable")
        known, place, found = np.unique(code, return_inverse=True, return_counts=True)
        idf = np.log1p(n / np.maximum(found, 1))
        idf[found > max(_FEW, _EVERYWHERE * n)] = 0.0
        idf[found == 1] *= _ALONE
        length = np.sqrt(np.bincount(row, (weight * idf[place]) ** 2, minlength=n))
        starts = np.concatenate([[0], np.cumsum(found)]).astype(np.intp)
        row_starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
        return cls(
            known, starts, row[order], weight[order], idf, row_starts, place.astype(np.intp), weight, length
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.length)

    def similarity(self, text: Tokens) -> Floats:
        """Cosine of weighted tokens with every workload, [n]: 1 the same words, 0 none in common."""
        asked = sorted(text.items())
        codes = np.array([code for code, _ in asked], dtype=np.uint32)
        weights = np.array([weight for _, weight in asked], dtype=np.float64)
        place = np.minimum(np.searchsorted(self.code, codes), max(len(self.code) - 1, 0))
        hit = self.code[place] == codes if len(self.code) else np.zeros(len(codes), dtype=bool)
        unseen = float(np.sum((weights[~hit] * _ALONE * np.log1p(len(self))) ** 2))
        return self._cosine(place[hit], weights[hit], unseen)

    def similarity_of(self, row: int) -> Floats:
        """The same for the words of a known workload."""
        own = slice(self.row_starts[row], self.row_starts[row + 1])
        return self._cosine(self.row_code[own], self.row_weight[own].astype(np.float64), 0.0)

    def _cosine(self, place: Indices, weights: Floats, unseen: float) -> Floats:
        """`unseen`: squared length of the words that no workload has."""
        told = weights * self.idf[place]
        total = np.zeros(len(self))
        for at, worth in zip(place.tolist(), (told * self.idf[place]).tolist(), strict=True):
            if worth:
                span = slice(self.starts[at], self.starts[at + 1])
                total[self.row[span]] += self.weight[span] * worth
        length = self.length * np.sqrt(np.sum(told**2) + unseen)
        return np.asarray(np.divide(total, length, out=np.zeros(len(self)), where=length > 0))
