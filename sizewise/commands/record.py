"""`sizewise record`."""

from __future__ import annotations

from pathlib import Path

import click

from collector.outbox import OutboxError
from collector.run import record
from collector.source import SourceError
from sizewise.exits import Exit
from sizewise.options import log_level_option, setting, with_settings
from sizewise.process import start_role, stop_after
from sizewise.settings import Settings


@click.command("record")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@log_level_option
@setting("--interval", "collector.interval_s", "Seconds between two reads.", metavar="SECONDS")
@click.option("--for", "duration_s", type=float, metavar="SECONDS", help="Stop by itself after this long.")
@with_settings("collector", "process")
def command(settings: Settings, file: Path, duration_s: float | None) -> None:
    """Record this machine's telemetry into FILE, until Ctrl-C, so that a run can be repeated with `sizewise replay`.

    An existing recording is continued. FILE holds workload names and usage, no command lines.

    \b
    Examples:
      sizewise record monday.rec
      sizewise record --for 600 load-test.rec
    """
    meter, stop = start_role(settings)
    if duration_s is not None:
        stop_after(stop, duration_s)
    try:
        record(file, settings["collector"], meter, stop)
    except (OutboxError, SourceError) as error:
        raise Exit(str(error)) from error
    click.echo(f"Recorded into {file}; play it with: sizewise replay {file}", err=True)
