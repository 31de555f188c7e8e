"""`sizewise train fingerprint`."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recommender.fingerprint.shelf import ShelfError
from sizewise.exits import FAILED, NO_DATA, STAYS, Exit
from sizewise.metrics import PrometheusMeter
from sizewise.options import role_options, with_settings
from sizewise.process import opened_to_look, run_role
from sizewise.settings import Settings
from stream.contract import EventLog

if TYPE_CHECKING:
    from sizewise.training import Trainer

_DURATION = re.compile(r"(\d+)([mhd])")
_UNIT_S = {"m": 60, "h": 3600, "d": 86_400}


class Every(click.ParamType["float"]):
    """A duration such as `12h` into seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = _DURATION.fullmatch(str(value))
        if found is None or not int(found[1]):
            self.fail(f"{value!r} is no duration; write a number and m, h or d, such as 12h or 1d", param, ctx)
        return int(found[1]) * _UNIT_S[found[2]]


@click.command("fingerprint")
@role_options
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="Keep versions of the model here instead of in the folder of api.fingerprint.model.")  # fmt: skip
@click.option("--min-runs", type=click.IntRange(2), default=3, show_default=True,
              help="Runs that a workload must have had to become a class.")  # fmt: skip
@click.option("--force", is_flag=True, help="Use the new version even where it is worse than the one that is there.")
@click.option("--every", type=Every(), metavar="DURATION",
              help="Go on running and train again each time that long after the time before: 12h, 1d.")  # fmt: skip
@with_settings("log", "api", "process")
def command(settings: Settings, out: Path | None, min_runs: int, force: bool, every: float | None) -> None:
    """Learn the fingerprints of GPU workloads: what each looks like in utilisation and memory as it starts.

    Reads the telemetry that the log still holds. A workload's own name is its class, so nobody labels anything. The card
    says how often the model is right on GPU models that it did not see. A version is used only if it is not worse than
    the one before on runs that are new to both; `serve` takes it up within a minute, and older versions are kept.

    \b
    Examples:
      sizewise train fingerprint
      sizewise train fingerprint --log kafka:broker:9092 --out /var/lib/sizewise/fingerprint --every 1d
    """
    from sizewise.training import Trainer, on_schedule  # XGBoost takes 0.5 s

    trainer = Trainer(out or Path(settings["api"].fingerprint.model), min_runs, force)
    if every is None:
        with opened_to_look(settings["log"]) as log:
            click.echo(_once(trainer, log))
        return

    def run(log: EventLog, meter: PrometheusMeter, stop: threading.Event) -> None:
        on_schedule(trainer, log, every, meter, stop.wait)

    run_role("train", settings, run)


def _once(trainer: Trainer, log: EventLog) -> str:
    """What came of it, for people. Raises Exit."""
    from models.fingerprint.train import TooFewError
    from sizewise.training import StaysError

    try:
        return trainer.train(log, int(time.time() * 1000))
    except TooFewError as error:
        raise Exit(str(error), NO_DATA) from error
    except StaysError as error:
        raise Exit(str(error), STAYS) from error
    except ShelfError as error:
        raise Exit(str(error), FAILED) from error
