"""`sizewise train bottleneck`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from models.bottleneck import SURE, Bottleneck
from models.bottleneck_model.model import BottleneckModel, ModelCard
from models.bottleneck_model.train import TooFewWorkloadsError, TrainSettings, train
from profiler.teach import windows_with_counters
from sizewise.exits import NO_DATA, Exit
from sizewise.options import log_option, with_settings
from sizewise.process import opened_to_look
from sizewise.settings import Settings


@click.command("bottleneck")
@log_option
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="NAME",
              help="Write NAME.ubj (the model) and NAME.json (its card).")  # fmt: skip
@click.option("--min-workloads", type=click.IntRange(2), default=TrainSettings().min_workloads, show_default=True,
              help="Workloads that a class must have had before the model is believed about it.")  # fmt: skip
@with_settings("log")
def command(settings: Settings, out: Path, min_workloads: int) -> None:
    """Learn the class of GPU windows without profiling counters from those that have them.

    Reads the telemetry that the log still holds. Profilers use the model once the setting profiler.bottleneck_model names
    it, for windows of which physics gives no class. The card says how good it is on workloads that it did not see.

    \b
    Examples:
      sizewise train bottleneck --out ./bottleneck
      SIZEWISE_PROFILER__BOTTLENECK_MODEL=./bottleneck sizewise profile
    """
    with opened_to_look(settings["log"]) as log:
        windows = windows_with_counters(log, int(time.time() * 1000))
    card = ModelCard.blank(
        int(time.time() * 1000), "telemetry of this fleet with profiling counters", "not for release"
    )
    try:
        model = train(windows, card, TrainSettings(min_workloads=min_workloads))
    except TooFewWorkloadsError as error:
        raise Exit(str(error), NO_DATA) from error
    base = out.with_suffix("")
    body, text = model.dump()
    base.with_suffix(".ubj").write_bytes(body)
    base.with_suffix(".json").write_bytes(text)
    click.echo(_summary(model, base))


def _summary(model: BottleneckModel, base: Path) -> str:
    card = model.card
    doubted = sorted(set(card.classes) - set(card.trusted))
    lines = [
        f"{card.windows} windows of {card.workloads} workloads; on workloads left out: "
        f"{card.agreement:.0%} the same class or none, {card.abstained:.0%} none (under {SURE:.0%} sure)",
        f"believed about: {', '.join(Bottleneck[name].label for name in card.trusted)}",
    ]
    if doubted:
        lines.append(f"seen too rarely to be believed: {', '.join(Bottleneck[name].label for name in doubted)}")
    return "\n".join(
        [*lines, f"wrote {base}.ubj and {base}.json; use it with profiler.bottleneck_model = {str(base)!r}"]
    )
