"""Which workload is this? Fingerprints on GPUs never seen, unknown workloads, first minutes, cold start, and speed.

Leave one chip out: nothing is learned, scaled or chosen on the chip that is scored. Data: lambda-dl-bench.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.fingerprint_data import ARCHITECTURES, Run, read_runs
from bench.fingerprint_kin import kin_figures
from bench.fingerprint_match import match_speed, one_ms
from bench.fingerprint_openset import open_set
from bench.fingerprint_peers import Labels, boosted, extra_trees, summaries, untuned, vector_machine
from bench.report import Cell, Report, require_data
from models.fingerprint.boosted import TreeSettings
from models.fingerprint.features import VERSION
from models.fingerprint.head import head_of
from models.fingerprint.known import Known
from models.fingerprint.model import Card, Fingerprinter, Verdict
from models.fingerprint.novelty import Novelty
from models.fingerprint.score import Score
from models.fingerprint.train import HEADS, Rows, TrainSettings, fit, training_rows
from models.fingerprint.window import Floats

Names = NDArray[np.str_]
Learner = Callable[[Floats, Labels, Floats], Labels]
_SETTINGS = TrainSettings()


def run(data: Path | None) -> Report:
    runs = read_runs(require_data(data, "lambda-dl-bench"))
    live = [run for run in runs if run.live]
    families, chips = np.array([r.family for r in live]), np.array([r.chip for r in live])
    rows = training_rows([r.window for r in live], _SETTINGS)
    ours = _left_out(rows, families, [chips == chip for chip in np.unique(chips)])
    kept = _as_profiles_keep(live, families, chips)
    elsewhere = _left_out(rows, families, [np.isin(chips, members) for members in ARCHITECTURES.values()])
    model = _model(rows, families)
    unknown = open_set(rows, families, chips)
    cold, cold_rows = kin_figures(live, chips)
    speed = match_speed(model.trees, model.known, rows)
    figures = {
        "fingerprint_accuracy": ours.whole.accuracy,
        "fingerprint_macro_f1": ours.whole.macro_f1,
        "fingerprint_early_accuracy": ours.early.accuracy,
        "fingerprint_profile_accuracy": kept.accuracy,
        "fingerprint_profile_macro_f1": kept.macro_f1,
        "fingerprint_new_architecture": elsewhere.whole.accuracy,
        **_idle(model, runs),
        "openset_recall": unknown.single,
        "openset_recall_3": unknown.three,
        "openset_false_unknown": unknown.single_false,
        "openset_false_unknown_3": unknown.three_false,
        **cold,
        "match_10k_s": speed.ten_thousand_s,
        "match_exact_10k_s": speed.exact_s,
        "match_recall": speed.recall,
        "match_one_ms": one_ms(model, [r.window for r in live[:200]]),
    }
    rows_out: list[dict[str, Cell]] = [
        *_peers(live, rows.rows[: len(live)], families, chips),
        _scored("our trees, largest margin", ours.margins),
        _scored("sizewise: vote of the nearest five by shared leaves", ours.whole),
        _scored("sizewise, first 60 samples", ours.early),
        _scored("sizewise, as profiles keep runs: 60 samples in 180 bytes, taught on such alone", kept),
        _scored("sizewise, architecture left out", elsewhere.whole),
        {"answer": "sizewise, unknown families: one run", "found": unknown.single, "false": unknown.single_false},
        {"answer": "sizewise, unknown families: three runs", "found": unknown.three, "false": unknown.three_false},
        {"answer": "  the same groups, one run", "found": unknown.single_of_groups},
        *_per_family(unknown.recalls),
        *cold_rows,
    ]  # fmt: skip
    title = f"Fingerprints of {len(live)} runs that show a workload, of {len(runs)}; leave one chip out"
    return Report(title, figures, rows_out, _NOTES)


_NOTES = (
    "found: share of runs of a left-out family called unknown, mean over 11 families; lines from known runs of other chips.",
    "The features were chosen on these runs; two answers less than 0.01 apart are not distinguishable.",
    "Cold start: 90 % intervals of the product's own index of kin, which knows family, precision, GPUs and the board's size. The",
    "batch was chosen to fill the board, so this data cannot show how well memory is told apart. Two of the index's constants",
    "(32 kin, the weight of the board's size) were chosen on these runs. No data set here has names and CPU or memory of jobs.",
    "Matching: processor seconds of one core, 10,000 feature rows embedded and matched to 100,000 resampled embeddings.",
)


def _scored(name: str, score: Score) -> dict[str, Cell]:
    return {"answer": name, "accuracy": score.accuracy, "macro F1": score.macro_f1}


def _per_family(recalls: Mapping[str, float]) -> list[dict[str, Cell]]:
    return [{"answer": f"  {family} left out", "found": found} for family, found in recalls.items()]


@dataclass(frozen=True, slots=True)
class _Scores:
    """margins: the class with the largest margin, instead of the vote of the nearest; whole runs."""

    whole: Score
    early: Score
    margins: Score


def _left_out(rows: Rows, families: Names, groups: Iterable[NDArray[np.bool_]]) -> _Scores:
    """Whole runs, and their first 60 samples, of each group by trees and known runs that are not of it."""
    classes, n = np.unique(families), len(families)
    whole, early, margins = families.copy(), families.copy(), families.copy()
    for group in groups:
        rest = np.flatnonzero(~group)
        trees = fit(rows.of(rest), families[rest], list(classes), _SETTINGS.trees)
        known = Known.of(trees, rows.rows[rest], families[rest])
        for answers, start in ((whole, 0), (early, n)):
            answers[group], _ = known.near(trees, rows.rows[start : start + n][group]).vote()
        margins[group] = classes[np.argmax(trees.margins(rows.rows[:n][group]), axis=1)]
    return _Scores(*(Score.of(families, answers) for answers in (whole, early, margins)))


def _as_profiles_keep(live: Sequence[Run], families: Names, chips: Names) -> Score:
    """Taught and asked as the product does it: on heads of runs, and on copies that are made of heads alone."""
    heads = [head for run in live if (head := head_of(run.window)) is not None]
    assert len(heads) == len(live), "a run that shows a workload has samples"
    rows = training_rows(heads, HEADS)
    answers, classes = families.copy(), list(np.unique(families))
    for chip in np.unique(chips):
        out, rest = np.flatnonzero(chips == chip), np.flatnonzero(chips != chip)
        trees = fit(rows.of(rest), families[rest], classes, HEADS.trees)
        known = Known.of(trees, rows.rows[rest], families[rest])
        answers[out], _ = known.near(trees, rows.rows[out]).vote()
    return Score.of(families, answers)


def _model(rows: Rows, families: Names) -> Fingerprinter:
    """Of all runs, for what is measured without labels: idle runs and speed."""
    classes = tuple(str(name) for name in np.unique(families))
    trees = fit(rows, families, classes, TreeSettings())
    card = Card("bench", "0", 0, "lambda-dl-bench", "none stated", "", VERSION, classes)
    return Fingerprinter(trees, Known.of(trees, rows.rows[: len(families)], families), Novelty(0.0, 0.0, ()), card)


def _idle(model: Fingerprinter, runs: Sequence[Run]) -> dict[str, float]:
    """Share of the runs that show nothing (by the data's line) answered so, and of live ones wrongly."""
    said = np.array([answer.verdict is Verdict.NOTHING_VISIBLE for answer in model.identify([r.window for r in runs])])
    live = np.array([r.live for r in runs])
    return {
        "fingerprint_idle_recall": float(said[~live].mean()),
        "fingerprint_false_idle": float(said[live].mean()),
    }


def _peers(live: Sequence[Run], rows: Floats, families: Names, chips: Names) -> list[dict[str, Cell]]:
    usual = summaries([r.window for r in live])
    tries: tuple[tuple[str, Floats, Learner], ...] = (
        ("summary features, untuned XGBoost (floor)", usual, untuned),
        ("our features: XGBoost, no copies", rows, boosted),
        ("our features: extra trees", rows, extra_trees),
        ("our features: RBF-SVC on normal scores", rows, vector_machine),
    )
    out: list[dict[str, Cell]] = []
    for name, features, learner in tries:
        out.append(_scored(name, _one_chip_out(features, families, chips, learner)))
    return out


def _one_chip_out(rows: Floats, families: Names, chips: Names, learner: Learner) -> Score:
    classes, labels = np.unique(families, return_inverse=True)
    answers = np.empty_like(labels)
    for chip in np.unique(chips):
        here = chips == chip
        answers[here] = learner(rows[~here], labels[~here], rows[here])
    return Score.of(families, classes[answers])
