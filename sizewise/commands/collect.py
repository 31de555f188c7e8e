"""`sizewise collect`."""

from __future__ import annotations

from pathlib import Path

import click

from collector.outbox import OutboxError
from collector.run import collect
from collector.source import Source, SourceError
from sizewise.exits import Exit
from sizewise.options import role_options, setting, switch, with_settings
from sizewise.process import LazyLog, start_role
from sizewise.pushed import pushed
from sizewise.settings import Settings


@click.command("collect")
@role_options
@setting("--interval", "collector.interval_s", "Seconds between two reads.", metavar="SECONDS")
@setting("--flush-interval", "collector.flush_interval_s", "Seconds between two flushes.", metavar="SECONDS")
@setting("--cluster", "collector.cluster", "Name of the cluster, first part of every workload id.", metavar="NAME")
@setting("--node", "collector.node", "Name of this node; the host name when not given.", metavar="NAME")
@setting("--listen", "collector.listen.address", "Receive remote-write and OTLP metrics too.", metavar="HOST:PORT")
@switch("--insecure-anyone-may-write", "collector.listen.insecure_anyone_may_write",
        "Listen anywhere without TLS and token.")  # fmt: skip
@click.option("--no-machine", is_flag=True, help="Do not read this machine: only what is pushed.")
@click.option("--record", "recording", type=click.Path(path_type=Path), metavar="FILE", help="Keep a recording too.")
@with_settings("log", "collector", "process")
def command(settings: Settings, recording: Path | None, no_machine: bool) -> None:
    """Read this machine; publish telemetry, inventory and events.

    Finds Kubernetes pods, Slurm job steps and systemd units by their cgroups, and groups other processes by command.
    Decides nothing. While the log is away, an outbox on disk holds what was read; it is bounded, and what it drops is
    counted. Killed and started again, it loses and doubles nothing.

    With --listen it also takes Prometheus remote-write 1.0 and 2.0 at /api/v1/write and OTLP metrics at /v1/metrics; at
    another address than loopback with TLS and a token (collector.listen in `sizewise config`).

    \b
    Examples:
      sizewise collect
      sizewise collect --log kafka:broker-1:9092 --cluster prod --metrics-port 9101
      sizewise collect --interval 5 --flush-interval 30
      sizewise collect --no-machine --listen 127.0.0.1:9201 --cluster prod
    """
    if no_machine and not settings["collector"].listen.address:
        raise Exit("--no-machine leaves nothing to collect; give --listen HOST:PORT too")
    meter, stop = start_role(settings)
    sources: list[Source] | None = [] if no_machine else None
    push = pushed(settings["collector"], meter)
    with LazyLog(settings["log"]) as log:
        try:
            collect(log, settings["collector"], meter, stop, recording=recording, sources=sources, pushed=push)
        except (OutboxError, SourceError) as error:
            raise Exit(str(error)) from error
