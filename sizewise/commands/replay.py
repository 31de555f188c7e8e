"""`sizewise replay`."""

from __future__ import annotations

from dataclasses import replace as changed
from pathlib import Path

import click

from collector.outbox import OutboxError
from collector.replay import Pace
from collector.run import replay
from sizewise.exits import INTERRUPTED, Exit
from sizewise.options import log_level_option, log_option, with_settings
from sizewise.process import LazyLog, start_role
from sizewise.settings import Settings


class Speed(click.ParamType[float | None]):
    name = "speed"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """`max` is None: as fast as the log takes it."""
        if value is None or value == "max":
            return None
        try:
            speed = float(str(value))
        except ValueError:
            speed = 0.0
        if not 0 < speed < 1e9:
            self.fail(f"{value!r} is neither a number above 0 nor max", param, ctx)
        return speed


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@log_option
@log_level_option
@click.option("--speed", type=Speed(), default="1", metavar="N|max", help="Recorded seconds per second.  [default: 1]")
@click.option("--shift-to-now", is_flag=True, help="Move all times so that the newest reading is now.")
@with_settings("log", "collector", "process")
def command(settings: Settings, file: Path, speed: float | None, shift_to_now: bool) -> None:
    """Play a recording into the log. Times stay as they were recorded.

    Ended anywhere and started again, it goes on where it was; nothing is lost or doubled. At its end the next start
    plays it from the beginning.

    \b
    Examples:
      sizewise replay monday.rec
      sizewise replay monday.rec --speed 60 --shift-to-now
      sizewise replay monday.rec --speed max --log sqlite:/tmp/try.db
    """
    meter, stop = start_role(settings)
    own = settings["collector"]
    outbox = Path(own.outbox).with_name(f"replay-{file.name}.db")  # a collector on this machine has the usual one
    with LazyLog(settings["log"]) as log:
        try:
            done = replay(file, log, changed(own, outbox=str(outbox)), meter, stop, pace=Pace(speed, shift_to_now))
        except OutboxError as error:
            raise Exit(str(error)) from error
    if not done:
        raise Exit("stopped before the end; the same command goes on from here", INTERRUPTED)
    click.echo(f"All of {file} is in the log.", err=True)
