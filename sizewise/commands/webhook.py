"""`sizewise webhook`."""

from __future__ import annotations

import click

from sizewise.options import role_options, setting, with_settings
from sizewise.process import start_role
from sizewise.settings import Settings
from sizewise.webhook import serve_webhook


@click.command("webhook")
@role_options
@setting("--host", "webhook.host", "Address to listen on; without TLS loopback only.", metavar="ADDRESS")
@setting("--port", "webhook.port", "Port to listen on; 0 takes a free one.", metavar="PORT")
@setting("--cert", "webhook.tls.certificate", "Serving certificate, PEM; read again when it changes.", metavar="FILE")
@setting("--key", "webhook.tls.key", "Its private key, PEM.", metavar="FILE")
@setting(
    "--made-in",
    "webhook.tls.made_in",
    "Make certificates, kept in folder:PATH or secret:NAMESPACE/NAME.",
    metavar="PLACE",
)
@setting("--kubeconfig", "webhook.kubeconfig", "How to reach Kubernetes outside of a pod.", metavar="FILE")
@setting("--probe-port", "webhook.probe_port", "Health and readiness without TLS as well.", metavar="PORT")
@setting("--cluster", "webhook.cluster", "Cluster in the ids of workloads.", metavar="NAME")
@with_settings("log", "webhook", "process")
def command(settings: Settings) -> None:
    """Size pods as they are created: Kubernetes' mutating admission webhook.

    Answers AdmissionReviews at /mutate. Depending on the mode of a namespace and a pod (label and annotation
    sizewise.dev/mode: off, recommend, apply) a pod is left alone, gets a warning and an annotation, or is given its
    size. It never stands in a pod's way: whatever happens, the answer is `allowed`. It answers from the first moment;
    /readyz is 503, and pods stay as they come, until the log was read to its end once.

    \b
    Examples:
      sizewise webhook --host 0.0.0.0 --cert tls.crt --key tls.key --log kafka:broker-1:9092
      sizewise webhook --host 0.0.0.0 --made-in secret:sizewise/sizewise-webhook-tls
      sizewise webhook --port 8443          without TLS, for this machine alone
    """
    meter, stop = start_role(settings)
    serve_webhook(settings, meter, stop)
