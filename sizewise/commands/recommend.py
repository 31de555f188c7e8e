"""`sizewise recommend`."""

from __future__ import annotations

import threading
import time

import click

from models.metrics import Meter
from recommender.service import Recommender
from sizewise.options import role_options, setting, with_settings
from sizewise.process import run_role
from sizewise.settings import Settings
from stream.contract import EventLog


@click.command("recommend")
@role_options
@setting("--group", "recommender.group", "Consumer group; recommenders of one group share the work.", metavar="NAME")
@with_settings("log", "recommender", "process")
def command(settings: Settings) -> None:
    """Turn profiles into recommendations: target, bounds, confidence, reasons.

    Policy (percentiles, margins, floors, caps, steps) is under [recommender.sizing] of the settings file, and what
    differs for some workloads under [[recommender.overrides]].

    \b
    Examples:
      sizewise recommend
      sizewise recommend --log kafka:broker-1:9092 --config policy.toml
    """

    def run(log: EventLog, meter: Meter, stop: threading.Event) -> None:
        Recommender(log, settings["recommender"], meter, time.time).run(stop)

    run_role("recommend", settings, run)
