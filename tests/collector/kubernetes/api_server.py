"""A server with a certificate of its own that answers as it is told: what a real API server cannot be made to do."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.kubernetes.certificates import Authority


@dataclass
class Answers:
    """status, body: of each answer. asked: path and token of each request. go: an answer waits for it.
    drips: the body comes byte by byte and never ends."""

    status: int = 200
    body: bytes = b"{}"
    asked: list[tuple[str, str]] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    drips: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.go.set()


def account(folder: Path, ca: bytes, token: str = "first") -> Path:
    """A folder as Kubernetes mounts it into a pod."""
    folder.mkdir(exist_ok=True)
    (folder / "ca.crt").write_bytes(ca)
    (folder / "token").write_text(f"{token}\n")
    return folder


def node_json(
    name: str,
    labels: Mapping[str, str],
    allocatable: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
    conditions: Mapping[str, str] | None = None,
) -> bytes:
    """conditions: status by type."""
    node: dict[str, Any] = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "labels": dict(labels)}}
    told = [{"type": kind, "status": status, "reason": "Kubelet"} for kind, status in (conditions or {}).items()]
    status = {"allocatable": dict(allocatable or {}), "conditions": told}
    return json.dumps(node | {"spec": dict(spec or {}), "status": status}).encode()


@contextmanager
def serving(answers: Answers, folder: Path) -> Iterator[str]:
    """The url. `folder` gets an account that may ask it."""
    authority = Authority("api")
    authority.issue(folder / "tls.crt", folder / "tls.key")
    account(folder / "account", authority.pem)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.asked.append((self.path, self.headers["Authorization"]))
            answers.go.wait()
            self.send_response(answers.status)
            self.end_headers()
            self.wfile.write(answers.body)
            while answers.drips and not answers.ended.wait(0.02):
                self.wfile.write(b" ")

        def log_message(self, *args: object) -> None: ...

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Who asked has hung up, as it should."""

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        answers.go.set()
        answers.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
