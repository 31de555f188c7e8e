"""A `sizewise webhook` beside the cluster, registered by the shipped manifest."""

from __future__ import annotations

import base64
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from deploy.services.kubernetes import KubernetesCluster
from deploy.services.process import Process, free_port
from tests.kubernetes.certificates import Authority
from tests.kubernetes.fleet import CLUSTER
from tests.kubernetes.manifests import Manifest, one, rendered
from tests.kubernetes.pods import create, pod

CERTIFICATE_LOOK_S = 0.1
SELF_MADE = 'made_in = "secret:sizewise/sizewise-tls"\nconfiguration = "sizewise"'
"""As the variables of deploy/kubernetes/self-signed/webhook.yaml say it; for 127.0.0.1 by default."""
_READY_S, _STOP_S = 60.0, 10.0


class Webhook:
    """A process with the rights of the shipped service account, and a certificate that the test may change."""

    def __init__(self, cluster: KubernetesCluster, location: str, folder: Path, self_made: bool = False) -> None:
        """self_made: it makes its certificate itself, as in deploy/kubernetes/self-signed. Returns when it has read the
        log. Ended by `close`."""
        self.authority = Authority("first")
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self.authority.issue(self.certificate, self.key)
        port, self._probe_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{port}/mutate"
        files = f'certificate = "{self.certificate}"\nkey = "{self.key}"'
        settings = folder / "settings.toml"
        settings.write_text(
            f"""
            [log]
            location = "{location}"
            [webhook]
            cluster = "{CLUSTER}"
            port = {port}
            probe_port = {self._probe_port}
            kubeconfig = "{cluster.kubeconfig_of("sizewise", "sizewise-webhook")}"
            watch = "yes"
            [webhook.pods]
            gpu = "recommend"
            [webhook.tls]
            check_interval_s = {CERTIFICATE_LOOK_S}
            {SELF_MADE if self_made else files}
            """
        )
        command = [sys.executable, "-m", "sizewise", "webhook", f"--config={settings}", f"--state={folder}"]
        self.process = Process("sizewise webhook", command, folder / "webhook.log")
        self.process.await_ready(lambda: self._probe("/readyz") is not None, _READY_S)

    def asked(self) -> float:
        """Reviews that it has answered up to now."""
        families = text_string_to_metric_families(self._probe("/metrics") or "")
        family = next((f for f in families if f.name == "sizewise_webhook_reviews"), None)
        return sum(s.value for s in family.samples if s.name.endswith("_total")) if family else 0.0

    def close(self) -> None:
        self.process.stop(_STOP_S)

    def _probe(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._probe_port}{path}", timeout=2) as answer:
                return str(answer.read().decode())
        except OSError:
            return None


def configuration(cluster: KubernetesCluster, url: str, authority: Authority | None) -> Manifest:
    """The shipped registration. Only where the webhook is differs: nothing routes Services here. authority: whom the API
    server is to trust; None: the webhook tells it."""
    found = deepcopy(one(rendered(cluster, "self-signed"), "MutatingWebhookConfiguration", "sizewise"))
    for webhook in found["webhooks"]:
        del webhook["clientConfig"]["service"]
        webhook["clientConfig"]["url"] = url
        if authority:
            webhook["clientConfig"]["caBundle"] = base64.b64encode(authority.pem).decode()
    return found


@contextmanager
def registered(cluster: KubernetesCluster, manifest: Manifest, namespace: str) -> Iterator[None]:
    """In force, for pods of `namespace`, for the length of a block. The API server looks at its own registrations in the
    background, so it is asked about a pod of no consequence until its audit log shows that it called, and did not."""
    cluster.apply(manifest)
    try:
        _until(lambda: calls(cluster, namespace, manifest))
        yield
    finally:
        cluster.kubectl("delete", "mutatingwebhookconfiguration", manifest["metadata"]["name"])
        _until(lambda: not calls(cluster, namespace, manifest))


def calls(cluster: KubernetesCluster, namespace: str, manifest: Manifest) -> bool:
    """Whether a new pod is shown to the webhook, answered or not."""
    create(cluster, pod(namespace, "probe"), "--dry-run=server")
    name = manifest["webhooks"][0]["name"]
    return any(name in text for text in annotations_of(cluster, namespace).values())


def annotations_of(cluster: KubernetesCluster, namespace: str) -> dict[str, str]:
    """What the audit log has been told about the newest pod that was created in a namespace."""
    events = (e for e in reversed(cluster.audit_events()) if e["verb"] == "create")
    event = next(e for e in events if e["objectRef"].get("namespace") == namespace)
    return dict(event.get("annotations", {}))


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _READY_S
    while not condition():
        assert time.monotonic() < deadline, "the API server did not take the registration up"
        time.sleep(0.1)
