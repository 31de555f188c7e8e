"""Learn fingerprints: one XGBoost model over features of whole windows, of their first minutes and of augmented copies.

One model and no ensemble. On GPUs left out it names 0.92 of runs; without the copies 0.89, as do extra trees and a support
vector machine. Adding those to it moved no figure by more than 0.01.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.fingerprint.augment import augmented
from models.fingerprint.boosted import Trees, TreeSettings
from models.fingerprint.features import features
from models.fingerprint.head import SAMPLES
from models.fingerprint.known import Known
from models.fingerprint.model import MIN_SAMPLES, Card, Fingerprinter
from models.fingerprint.novelty import Novelty
from models.fingerprint.score import Score
from models.fingerprint.window import Floats, Window


class TooFewError(ValueError):
    """Too little telemetry to learn from. The message says how much there is and how much it needs."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    trees: TreeSettings = field(default_factory=TreeSettings)
    copies: int = 4
    """Augmented copies of each window; every second one also cut to its first minutes."""
    early_samples: int = 60
    """Two minutes at 2 s: after that long a running job is asked for first. 0: windows are no longer than that anyway."""
    most_samples: int | None = None
    """Copies are cut to that: a copy that loads more slowly is longer than what it was made from."""
    min_windows: int = 3
    """Of a class. With fewer it is no class; its windows are still known workloads to be near to."""
    max_classes: int = 64
    """The most frequent ones. Trees and margins grow with it; others are told by their neighbours."""
    held_out_folds: int = 5
    """Groups are shared out over that many folds to measure accuracy and set the line of `unknown`."""
    seed: int = 0


HEADS = TrainSettings(early_samples=0, most_samples=SAMPLES)
"""For windows that are heads of runs, as profiles keep them."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Training rows [n, features]; owner [n]: the window that a row comes from; early [n]: cut to its first minutes."""

    rows: Floats
    owner: NDArray[np.intp]
    early: NDArray[np.bool_]

    def of(self, windows: NDArray[np.intp], whole_only: bool = False) -> Rows:
        """Those of these windows; owner becomes the place in `windows`."""
        place = np.full(int(self.owner.max(initial=-1)) + 1, -1)
        place[windows] = np.arange(len(windows))
        keep = (place[self.owner] >= 0) & ~(self.early & whole_only)
        return Rows(self.rows[keep], place[self.owner[keep]], self.early[keep])


def training_rows(windows: Sequence[Window], chosen: TrainSettings) -> Rows:
    """Each window, its first minutes, and its copies, which are the same whatever other windows there are."""
    parts: list[tuple[list[Window], bool]] = [(list(windows), False)]
    early, most = chosen.early_samples, chosen.most_samples
    if early:
        parts.append(([window.first(early) for window in windows], True))
    for copy in range(chosen.copies):
        rngs = [np.random.default_rng((chosen.seed, copy, k)) for k in range(len(windows))]
        copies = [augmented(window, rng).first(most) for window, rng in zip(windows, rngs, strict=True)]
        parts.append((copies, False))
        if early and copy % 2 == 0:
            parts.append(([window.first(early) for window in copies], True))
    return Rows(
        np.vstack([features(part) for part, _ in parts]),
        np.tile(np.arange(len(windows)), len(parts)),
        np.repeat([early for _, early in parts], len(windows)),
    )


@dataclass(frozen=True, slots=True)
class Learned:
    """model: of all windows. held_out: per place of a window that was used, what a model without its group answered."""

    model: Fingerprinter
    held_out: Mapping[int, str]


def learn(
    windows: Sequence[Window],
    workloads: Sequence[str],
    groups: Sequence[str],
    card: Card,
    chosen: TrainSettings | None = None,
) -> Learned:
    """workloads: whose window it is (name, image or command); groups: what is held out together, such as the GPU model,
    so that what is measured holds on a GPU never seen. Windows that are short or show nothing are left out. Raises
    TooFewError."""
    chosen = chosen or TrainSettings()
    seen = [k for k, window in enumerate(windows) if window.visible and len(window) >= MIN_SAMPLES]
    names, groups_seen = np.array([workloads[k] for k in seen]), np.array([groups[k] for k in seen])
    classes = _classes(names, chosen)
    rows = training_rows([windows[k] for k in seen], chosen)
    held = _held_out(rows, names, groups_seen, classes, chosen)
    trees = fit(rows, names, classes, chosen.trees)
    whole = rows.rows[: len(seen)]
    card = replace(
        card,
        classes=classes,
        windows=len(seen),
        groups=len(set(groups_seen)),
        accuracy=held.score.accuracy,
        macro_f1=held.score.macro_f1,
    )
    novelty = Novelty.of(held.similarity, names, groups_seen)
    answers = dict(zip(seen, held.answers.tolist(), strict=True))
    return Learned(Fingerprinter(trees, Known.of(trees, whole, names), novelty, card), answers)


def fit(rows: Rows, names: NDArray[np.str_], classes: Sequence[str], chosen: TreeSettings) -> Trees:
    """Trees over the rows whose window (names [windows]) is of a class. Raises TooFewError when none is."""
    place = {name: k for k, name in enumerate(classes)}
    labels = np.array([place.get(name, -1) for name in names])[rows.owner]
    kept = labels >= 0
    if not kept.any():
        raise TooFewError("without one group no workload is left that could be told apart: measure them in more groups")
    return Trees.train(rows.rows[kept], labels[kept], len(classes), chosen)


def _classes(names: NDArray[np.str_], chosen: TrainSettings) -> tuple[str, ...]:
    found, counts = np.unique(names, return_counts=True)
    frequent = np.argsort(-counts, kind="stable")[: chosen.max_classes]
    classes = tuple(sorted(str(found[k]) for k in frequent if counts[k] >= chosen.min_windows))
    if len(classes) < 2:
        raise TooFewError(
            f"{len(classes)} workloads have {chosen.min_windows} windows that show activity on a GPU; it needs 2: "
            "let more jobs run under the collector, then train"
        )
    return classes


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """answers [windows], and similarity [windows] to what is known, both without the window's own group."""

    score: Score
    answers: NDArray[np.str_]
    similarity: Floats


def _held_out(
    rows: Rows,
    names: NDArray[np.str_],
    groups: NDArray[np.str_],
    classes: Sequence[str],
    chosen: TrainSettings,
) -> _HeldOut:
    """Every window answered by a model that has seen nothing of its group. Groups of one fold are held out together."""
    distinct = np.unique(groups)
    if len(distinct) < 2:
        raise TooFewError(f"all windows are of group {distinct[:1]}; it needs 2 groups to measure what was learned")
    fold = np.searchsorted(distinct, groups) % min(chosen.held_out_folds, len(distinct))
    answers, alike = names.copy(), np.full(len(names), np.nan)
    whole = rows.rows[: len(names)]
    for k in np.unique(fold):
        out, rest = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        trees = fit(rows.of(rest), names[rest], classes, chosen.trees)
        near = Known.of(trees, whole[rest], names[rest]).near(trees, whole[out])
        answers[out], _ = near.vote()
        alike[out] = near.similarity
    judged = np.isin(names, classes)
    return _HeldOut(Score.of(names[judged], answers[judged]), answers, alike)
