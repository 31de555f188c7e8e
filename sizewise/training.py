"""One round of learning fingerprints: runs out of the log, a candidate, and whether it may take the place of what is used."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.fingerprint.artifact import Artifact, dump, load
from models.fingerprint.boosted import ArtifactError
from models.fingerprint.features import VERSION
from models.fingerprint.model import Card, Fingerprinter
from models.fingerprint.score import MIN_NEW, Score, may_replace
from models.fingerprint.train import HEADS, Learned, TooFewError, learn
from models.metrics import Meter
from profiler.gpu_runs import GpuRun, gpu_runs, groups_of
from recommender.fingerprint.shelf import Files, Shelf, ShelfError
from stream.contract import EventLog

MODEL = "fingerprint"
RESULTS = ("promoted", "stays", "too-few", "failed")
_COUNTED = "sizewise_model_training_total"
_log = logging.getLogger(__name__)


class StaysError(Exception):
    """The version in use stays, and why."""


@dataclass(frozen=True, slots=True)
class Trainer:
    folder: Path
    min_runs: int
    force: bool = False

    def train(self, log: EventLog, now_ms: int) -> str:
        """Learn and promote; what was learned, in a sentence. Raises TooFewError, StaysError, ShelfError."""
        shelf = Shelf(self.folder)
        runs = gpu_runs(log, now_ms)
        card = Card("fingerprint", str(now_ms), now_ms, "telemetry of this fleet", "not for release", "", VERSION)
        windows, names = [run.window for run in runs], [run.workload for run in runs]
        learned = learn(windows, names, groups_of(runs), card, replace(HEADS, min_windows=self.min_runs))
        if not self.force and (current := self._in_use(shelf)) is not None:
            _refuse_worse(learned, current, runs, self.folder)
        shelf.promote(str(now_ms), Files(*_bytes(learned.model)))
        return _summary(learned.model.card, self.folder / str(now_ms))

    def _in_use(self, shelf: Shelf) -> Fingerprinter | None:
        try:
            version = shelf.current()
            return load(Artifact(*shelf.read(version))) if version else None
        except (ShelfError, ArtifactError) as error:
            raise ShelfError(
                f"cannot read the model in {self.folder}: {error}; --force trains a new one over it"
            ) from error


def on_schedule(trainer: Trainer, log: EventLog, every_s: float, meter: Meter, wait: Callable[[float], bool]) -> None:
    """A round, then `wait`, until that says to stop. A round that gives no new version is logged and counted."""
    for result in RESULTS:  # there from the start, so that rate() sees the first
        meter.count(_COUNTED, 0, model=MODEL, result=result)
    while True:
        result, said = _round(trainer, log)
        meter.count(_COUNTED, model=MODEL, result=result)
        _log.log(logging.WARNING if result == "failed" else logging.INFO, "%s", said)
        if wait(every_s):
            return


def _round(trainer: Trainer, log: EventLog) -> tuple[str, str]:
    """Which of RESULTS, and the sentence."""
    try:
        return "promoted", trainer.train(log, int(time.time() * 1000))
    except TooFewError as error:
        return "too-few", str(error)
    except StaysError as error:
        return "stays", str(error)
    except ShelfError as error:
        return "failed", str(error)


def _bytes(model: Fingerprinter) -> tuple[bytes, bytes, bytes]:
    artifact = dump(model)
    return artifact.trees, artifact.arrays, artifact.card


def _refuse_worse(learned: Learned, current: Fingerprinter, runs: list[GpuRun], folder: Path) -> None:
    """Both are asked about runs that began after the present version was trained, and that the new one held out."""
    both = set(learned.model.card.classes) & set(current.card.classes)
    new = [k for k in learned.held_out if runs[k].started_ms > current.card.trained_ms and runs[k].workload in both]
    truth = np.array([runs[k].workload for k in new])
    if not new:
        raise StaysError(f"{folder}: version {current.card.version} stays: no run of a workload that both know began after it "
                         "was trained; train again later")  # fmt: skip
    candidate = Score.of(truth, np.array([learned.held_out[k] for k in new]))
    present = Score.of(truth, np.array(current.classify([runs[k].window for k in new])))
    if not may_replace(candidate, present, len(new)):
        raise StaysError(
            f"{folder}: version {current.card.version} stays: on {len(new)} runs new to both (at least {MIN_NEW} are needed) "
            f"it is right in {present.accuracy:.0%}, the new one in {candidate.accuracy:.0%}; --force uses the new one all "
            "the same"
        )


def _summary(card: Card, version: Path) -> str:
    return (
        f"{card.windows} runs of {len(card.classes)} workloads in {card.groups} groups; right in {card.accuracy:.0%} of runs "
        f"on a group left out (macro F1 {card.macro_f1:.2f})\nin use: {version}"
    )
