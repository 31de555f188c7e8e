"""`sizewise serve`."""

from __future__ import annotations

import threading

import click

from sizewise.http import serve_view
from sizewise.metrics import PrometheusMeter
from sizewise.options import role_options, setting, switch, with_settings
from sizewise.process import run_role
from sizewise.settings import Settings
from stream.contract import EventLog


@click.command("serve")
@role_options
@setting("--host", "api.host", "Address to listen on; another than loopback needs TLS, and tokens.", metavar="ADDRESS")
@setting("--port", "api.port", "Port to listen on; 0 takes a free one.", metavar="PORT")
@setting("--tls-cert", "api.tls.certificate", "Serving certificate, PEM; read again when it changes.", metavar="FILE")
@setting("--tls-key", "api.tls.key", "Its private key, PEM.", metavar="FILE")
@setting(
    "--tls-client-ca", "api.tls.client_ca", "Authority of client certificates that stand for tokens.", metavar="FILE"
)
@switch("--ask-who", "api.ask_who", "Ask for tokens on loopback too.")
@switch("--insecure-anyone-may-read-everything", "api.insecure_anyone_may_read_everything",
        "Listen anywhere without TLS, and ask nobody for a token.")  # fmt: skip
@with_settings("log", "api", "view", "process")
def command(settings: Settings) -> None:
    """Answer questions about workloads: REST API, its documentation page, own metrics.

    Reads profiles, recommendations, inventory and events into memory, so that an answer costs no database call. Any
    number of these may run. /readyz is 503 until the log was read to its end once.

    Listens on loopback alone and asks for no token there. Elsewhere it needs TLS, and every request a token, which sees
    the namespaces that it was made for and nothing of others: `sizewise token create`.

    \b
    Examples:
      sizewise serve
      sizewise serve --log kafka:broker-1:9092,broker-2:9092 --port 8090
      sizewise serve --host 0.0.0.0 --port 8443 --tls-cert tls.crt --tls-key tls.key
      curl 'http://127.0.0.1:8080/v1/workloads?namespace=shop&sort=-saving'
    """

    def run(log: EventLog, meter: PrometheusMeter, stop: threading.Event) -> None:
        serve_view(log, settings, meter, stop)

    run_role("serve", settings, run)
