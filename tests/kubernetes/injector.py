"""A second mutating webhook, such as a service mesh has: it adds a sidecar to every pod that it is shown."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.kubernetes.certificates import Authority
from tests.kubernetes.manifests import Manifest

SIDECAR = {"name": "proxy", "image": "example.org/proxy", "resources": {"requests": {"cpu": "100m", "memory": "200Mi"}}}


class _Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        response: dict[str, Any] = {"uid": request["uid"], "allowed": True}
        if SIDECAR["name"] not in [c["name"] for c in request["object"]["spec"]["containers"]]:
            patch = json.dumps([{"op": "add", "path": "/spec/containers/-", "value": SIDECAR}])
            response |= {"patchType": "JSONPatch", "patch": base64.b64encode(patch.encode()).decode()}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:
        """Not told."""


@contextmanager
def injector(folder: Path, namespace: str) -> Iterator[Manifest]:
    """Its registration, for pods of one namespace. Its name comes after `sizewise`, so that it is called later."""
    authority = Authority("mesh")
    authority.issue(folder / "mesh.crt", folder / "mesh.key")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "mesh.crt", folder / "mesh.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield _registration(f"https://127.0.0.1:{server.server_port}/", authority, namespace)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _registration(url: str, authority: Authority, namespace: str) -> Manifest:
    webhook = {
        "name": "sidecar.mesh.example",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"url": url, "caBundle": base64.b64encode(authority.pem).decode()},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "zz-mesh"},
        "webhooks": [webhook],
    }
