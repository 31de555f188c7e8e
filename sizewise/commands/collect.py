"""`sizewise collect`."""

from __future__ import annotations

from pathlib import Path

import click

from collector.outbox import OutboxError
from collector.run import collect
from collector.source import SourceError
from sizewise.exits import Exit
from sizewise.options import role_options, setting, with_settings
from sizewise.process import LazyLog, start_role
from sizewise.settings import Settings


@click.command("collect")
@role_options
@setting("--interval", "collector.interval_s", "Seconds between two reads.", metavar="SECONDS")
@setting("--flush-interval", "collector.flush_interval_s", "Seconds between two flushes.", metavar="SECONDS")
@setting("--cluster", "collector.cluster", "Name of the cluster, first part of every workload id.", metavar="NAME")
@setting("--node", "collector.node", "Name of this node; the host name when not given.", metavar="NAME")
@click.option("--record", "recording", type=click.Path(path_type=Path), metavar="FILE", help="Keep a recording too.")
@with_settings("log", "collector", "process")
def command(settings: Settings, recording: Path | None) -> None:
    """Read this machine; publish telemetry, inventory and events.

    Finds Kubernetes pods, Slurm job steps and systemd units by their cgroups, and groups other processes by command.
    Decides nothing. While the log is away, an outbox on disk holds what was read; it is bounded, and what it drops is
    counted. Killed and started again, it loses and doubles nothing.

    \b
    Examples:
      sizewise collect
      sizewise collect --log kafka:broker-1:9092 --cluster prod --metrics-port 9101
      sizewise collect --interval 5 --flush-interval 30
    """
    meter, stop = start_role(settings)
    with LazyLog(settings["log"]) as log:
        try:
            collect(log, settings["collector"], meter, stop, recording=recording)
        except (OutboxError, SourceError) as error:
            raise Exit(str(error)) from error
