"""Open set and recurring jobs: a family is left out with the chip, and must be called unknown there."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from models.fingerprint.boosted import TreeSettings
from models.fingerprint.known import Known
from models.fingerprint.novelty import FALSE_UNKNOWN, triples
from models.fingerprint.train import Rows, fit
from models.fingerprint.window import Floats

Names = NDArray[np.str_]

_TREES = replace(TreeSettings(), rounds=100, learning_rate=0.15)
"""176 models are learned: fewer rounds, and no early rows, which whole runs do not need."""
_PROCESSES = 2


@dataclass(frozen=True, slots=True)
class OpenSet:
    """Means over families. single_of_groups: single runs, of the groups that `three` is measured on."""

    single: float
    single_false: float
    three: float
    three_false: float
    single_of_groups: float
    recalls: dict[str, float]


def open_set(rows: Rows, families: Names, chips: Names) -> OpenSet:
    """Lines come from known runs of the other chips, with the same family left out."""
    left_out = np.unique(families)
    with ProcessPoolExecutor(_PROCESSES, get_context("spawn")) as pool:
        parts = pool.map(
            _scores, *zip(*((rows, families, chips, left_out[k::_PROCESSES]) for k in range(_PROCESSES)), strict=True)
        )
        scores = {family: alike for part in parts for family, alike in part.items()}
    judged = {family: judge(scores[family], family, families, chips) for family in left_out}

    def mean(of: int) -> float:
        return float(np.mean([np.mean(one[of]) for one in judged.values() if len(one[of])]))

    recalls = {str(family): float(np.mean(one[0])) for family, one in judged.items()}
    return OpenSet(mean(0), mean(1), mean(2), mean(3), mean(4), recalls)


def _scores(rows: Rows, families: Names, chips: Names, left_out: Sequence[str]) -> dict[str, Floats]:
    """Per family left out, the similarity of every run to what is known without that family and without its chip."""
    return {family: np.concatenate(_by_chip(rows, families, chips, family)) for family in left_out}


def _by_chip(rows: Rows, families: Names, chips: Names, family: str) -> list[Floats]:
    """In the order of the chips' names, then of runs."""
    whole, out = rows.rows[: len(families)], []
    for chip in np.unique(chips):
        known = np.flatnonzero((chips != chip) & (families != family))
        names = families[known]
        trees = fit(rows.of(known, whole_only=True), names, list(np.unique(names)), _TREES)
        out.append(Known.of(trees, whole[known], names).near(trees, whole[chips == chip]).similarity)
    return out


def judge(scored: Floats, family: str, families: Names, chips: Names) -> tuple[list[bool], ...]:
    """For runs of the family, for known runs, for threes of both, and for the single runs in the family's threes: whether
    each is called unknown."""
    order = np.concatenate([np.flatnonzero(chips == chip) for chip in np.unique(chips)])
    alike = np.empty(len(scored))
    alike[order] = scored
    found: tuple[list[bool], ...] = ([], [], [], [], [])
    for chip in np.unique(chips):
        here, known = chips == chip, families != family
        line = np.quantile(alike[~here & known], FALSE_UNKNOWN)
        line_three = np.quantile(_threes(alike, families, chips, ~here & known), FALSE_UNKNOWN)
        grouped = alike[here & ~known]
        found[0].extend(grouped < line)
        found[1].extend(alike[here & known] < line)
        found[2].extend(_threes(alike, families, chips, here & ~known) < line_three)
        found[3].extend(_threes(alike, families, chips, here & known) < line_three)
        found[4].extend(grouped[: len(grouped) // 3 * 3] < line)
    return found


def _threes(alike: Floats, families: Names, chips: Names, among: NDArray[np.bool_]) -> Floats:
    """Means of three runs of one family on one chip."""
    pairs = sorted({*zip(families[among], chips[among], strict=True)})
    return np.concatenate([triples(alike[among & (families == f) & (chips == c)]) for f, c in pairs] or [np.empty(0)])
