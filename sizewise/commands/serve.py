"""`sizewise serve`."""

from __future__ import annotations

import threading

import click

from sizewise.http import serve_view
from sizewise.metrics import PrometheusMeter
from sizewise.options import role_options, setting, with_settings
from sizewise.process import run_role
from sizewise.settings import Settings
from stream.contract import EventLog


@click.command("serve")
@role_options
@setting("--host", "api.host", "Address to listen on; loopback only.", metavar="ADDRESS")
@setting("--port", "api.port", "Port to listen on; 0 takes a free one.", metavar="PORT")
@with_settings("log", "api", "view", "process")
def command(settings: Settings) -> None:
    """Answer questions about workloads: REST API, its documentation page, own metrics.

    Reads profiles, recommendations, inventory and events into memory, so that an answer costs no database call. Any
    number of these may run. /readyz is 503 until the log was read to its end once.

    \b
    Examples:
      sizewise serve
      sizewise serve --log kafka:broker-1:9092,broker-2:9092 --port 8090
      curl 'http://127.0.0.1:8080/v1/workloads?namespace=shop&sort=-saving'
    """

    def run(log: EventLog, meter: PrometheusMeter, stop: threading.Event) -> None:
        serve_view(log, settings, meter, stop)

    run_role("serve", settings, run)
