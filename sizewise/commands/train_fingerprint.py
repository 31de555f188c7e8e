"""`sizewise train fingerprint`."""

from __future__ import annotations

import time
from pathlib import Path

import click
import numpy as np

from models.fingerprint.artifact import Artifact, dump, load
from models.fingerprint.boosted import ArtifactError
from models.fingerprint.features import VERSION
from models.fingerprint.model import Card, Fingerprinter
from models.fingerprint.score import MIN_NEW, Score, may_replace
from models.fingerprint.train import Learned, TooFewError, TrainSettings, learn
from profiler.gpu_runs import GpuRun, gpu_runs
from sizewise.exits import NO_DATA, Exit
from sizewise.options import log_option, with_settings
from sizewise.process import opened_to_look
from sizewise.settings import Settings

SUFFIXES = (".ubj", ".npz", ".json")
"""Trees, what is known, card."""


@click.command("fingerprint")
@log_option
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="NAME",
              help="Write NAME.ubj (the trees), NAME.npz (what is known) and NAME.json (the card).")  # fmt: skip
@click.option("--min-runs", type=click.IntRange(2), default=TrainSettings().min_windows, show_default=True,
              help="Runs that a workload must have had to become a class.")  # fmt: skip
@click.option("--force", is_flag=True, help="Write the new model even where it is worse than the one that is there.")
@with_settings("log")
def command(settings: Settings, out: Path, min_runs: int, force: bool) -> None:
    """Learn the fingerprints of GPU workloads: what each looks like in utilisation, memory and whatever else is measured.

    Reads the telemetry that the log still holds. A workload's own name is its class, so nobody labels anything. The card
    says how often the model is right on GPU models that it did not see. Run it on a schedule: a model that is there
    already is replaced only by one that is not worse on runs that are new to both.

    \b
    Examples:
      sizewise train fingerprint --out ./fingerprint
      sizewise train fingerprint --log kafka:broker:9092 --out /var/lib/sizewise/fingerprint
    """
    now_ms = int(time.time() * 1000)
    with opened_to_look(settings["log"]) as log:
        runs = gpu_runs(log, now_ms)
    card = Card("fingerprint", str(now_ms), now_ms, "telemetry of this fleet", "not for release", "", VERSION)
    try:
        learned = _learn(runs, card, TrainSettings(min_windows=min_runs))
    except TooFewError as error:
        raise Exit(str(error), NO_DATA) from error
    base = out.with_suffix("")
    if (current := _there(base)) and not force:
        _refuse_worse(learned, current, runs, base)
    _write(dump(learned.model), base)
    click.echo(_summary(learned.model.card, base))


def _learn(runs: list[GpuRun], card: Card, chosen: TrainSettings) -> Learned:
    """A GPU model is held out at a time; in a fleet of one model, a GPU."""
    models = {run.gpu_model for run in runs}
    groups = [run.gpu_model if len(models) > 1 else run.gpu_uuid for run in runs]
    return learn([run.window for run in runs], [run.workload for run in runs], groups, card, chosen)


def _there(base: Path) -> Fingerprinter | None:
    """The model that is in use; None where there is none."""
    files = [base.with_suffix(suffix) for suffix in SUFFIXES]
    if not any(file.exists() for file in files):
        return None
    try:
        return load(Artifact(*(file.read_bytes() for file in files)))
    except (OSError, ArtifactError) as error:
        raise Exit(f"cannot read the model at {base}: {error}; --force writes a new one over it") from error


def _refuse_worse(learned: Learned, current: Fingerprinter, runs: list[GpuRun], base: Path) -> None:
    """Both are asked about runs that began after the present model was trained, and that the new one held out."""
    both = set(learned.model.card.classes) & set(current.card.classes)
    new = [k for k in learned.held_out if runs[k].started_ms > current.card.trained_ms and runs[k].workload in both]
    truth = np.array([runs[k].workload for k in new])
    if not new:
        raise Exit(f"{base} stays: no run of a workload that both know began after it was trained; train again later")
    candidate = Score.of(truth, np.array([learned.held_out[k] for k in new]))
    present = Score.of(truth, np.array(current.classify([runs[k].window for k in new])))
    if not may_replace(candidate, present, len(new)):
        raise Exit(
            f"{base} stays: on {len(new)} runs new to both (at least {MIN_NEW} are needed) it is right in "
            f"{present.accuracy:.0%}, the new one in {candidate.accuracy:.0%}; --force writes the new one all the same"
        )


def _write(artifact: Artifact, base: Path) -> None:
    """The card last: a reader that comes between finds checksums that do not agree, and not half a model."""
    for suffix, body in zip(SUFFIXES, (artifact.trees, artifact.arrays, artifact.card), strict=True):
        fresh = base.with_suffix(suffix + ".new")
        fresh.write_bytes(body)
        fresh.replace(base.with_suffix(suffix))


def _summary(card: Card, base: Path) -> str:
    return (
        f"{card.windows} runs of {len(card.classes)} workloads in {card.groups} groups; right in {card.accuracy:.0%} of runs "
        f"on a group left out (macro F1 {card.macro_f1:.2f})\nwrote {', '.join(str(base.with_suffix(s)) for s in SUFFIXES)}"
    )
