"""`sizewise profile`."""

from __future__ import annotations

import threading
import time

import click

from models.metrics import Meter
from profiler.service import Profiler
from sizewise.options import role_options, setting, with_settings
from sizewise.process import run_role
from sizewise.settings import Settings
from stream.contract import EventLog


@click.command("profile")
@role_options
@setting("--group", "profiler.group", "Consumer group; profilers of one group share the work.", metavar="NAME")
@setting("--commit-interval", "profiler.commit_interval_s", "Seconds between two commits.", metavar="SECONDS")
@with_settings("log", "profiler", "process")
def command(settings: Settings) -> None:
    """Turn telemetry into profiles: demand, peaks, trend, hour-of-week shape.

    Run as many as there are partitions; when one comes or goes, the others take its partitions over and nothing is
    lost or counted twice.

    \b
    Examples:
      sizewise profile
      sizewise profile --log kafka:broker-1:9092 --metrics-port 9102
    """

    def run(log: EventLog, meter: Meter, stop: threading.Event) -> None:
        Profiler(log, settings["profiler"], meter, time.time).run(stop)

    run_role("profile", settings, run)
