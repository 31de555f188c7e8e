"""`sizewise replay`."""

from __future__ import annotations

import zlib
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
from stream.settings import SQLITE, LogSettings


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
@click.option("--again", is_flag=True, help="Play it although it was played to its end before.")
@with_settings("log", "collector", "process")
def command(settings: Settings, file: Path, speed: float | None, shift_to_now: bool, again: bool) -> None:
    """Play a recording into the log. Times stay as they were recorded.

    Ended anywhere and started again, it goes on where it was; nothing is lost or doubled. What was played to its end
    is not played again unless --again says so.

    \b
    Examples:
      sizewise replay monday.rec
      sizewise replay monday.rec --speed 60 --shift-to-now
      sizewise replay monday.rec --speed max --log sqlite:/tmp/try.db
    """
    meter, stop = start_role(settings)
    own = settings["collector"]
    outbox = Path(own.outbox).with_name(_outbox_name(file, settings["log"]))
    with LazyLog(settings["log"]) as log:
        try:
            there = changed(own, outbox=str(outbox))
            done = replay(file, log, there, meter, stop, pace=Pace(speed, shift_to_now), again=again)
        except OutboxError as error:
            raise Exit(str(error)) from error
    if not done:
        raise Exit("stopped before the end; the same command goes on from here", INTERRUPTED)
    click.echo(f"All of {file} is in the log.", err=True)


def _outbox_name(file: Path, log: LogSettings) -> str:
    """One for each recording and log: what was played into one log was not played into another. A collector on this
    machine has the usual outbox."""
    where = str(log.path.absolute()) if log.location.startswith(SQLITE) else log.location
    return f"replay-{file.name}-{zlib.crc32(where.encode()):08x}.db"
