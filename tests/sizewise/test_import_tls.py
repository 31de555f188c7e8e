"""`sizewise import prometheus` from servers that do not let everyone in: Prometheus' own TLS, client certificates and
passwords, and a proxy that wants a bearer token."""

from __future__ import annotations

import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.services.process import Process, free_port
from deploy.services.prometheus import PrometheusServer
from recommender.adapters.certificates import make
from tests.collector.prometheus.conftest import Serve, serve  # noqa: F401  # a fixture
from tests.collector.prometheus.world import Container, World
from tests.sizewise.test_import import recent, sizewise

pytestmark = pytest.mark.timeout(120)

BASIC = "Authorization=Basic dXNlcjp0ZXN0"
"""user:test"""
WEB_CONFIG = """\
tls_server_config: {{cert_file: {0}/server.pem, key_file: {0}/server.key{1}}}
basic_auth_users: {{user: $2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay}}
"""
CLIENTS = ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: {0}/client.pem"


def small_world() -> World:
    world, times = World(), recent(1)
    Container("shop", "web-7d9f8b6c5d-x2x4z", "nginx").add_to(world, times, [0.5] * len(times), [2.0**29] * len(times))
    return world


def write_certificates(folder: Path) -> None:
    """The server's with its authority, and a client's that is its own."""
    made = make(["127.0.0.1"], 1, time.time())
    (folder / "server.pem").write_bytes(made.certificate)
    (folder / "server.key").write_bytes(made.key)
    (folder / "authority.pem").write_bytes(made.authorities)
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "me")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "client.pem").write_bytes(pem)
    (folder / "mine.pem").write_bytes(pem + private)


@contextmanager
def guarded(home: Path, data: Path, folder: Path, clients: str = "") -> Iterator[str]:
    """A real Prometheus on this data behind TLS and a password."""
    (folder / "web.yml").write_text(WEB_CONFIG.format(folder, clients.format(folder)))
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    port = free_port()
    command = [
        str(home / "usr/bin/prometheus"), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=10y", f"--web.listen-address=127.0.0.1:{port}",
        f"--web.config.file={folder / 'web.yml'}",
    ]  # fmt: skip
    server = Process("prometheus", command, folder / "server.log")
    try:
        server.await_ready(lambda: "Server is ready" in (folder / "server.log").read_text(), 60)
        yield f"https://127.0.0.1:{port}"
    finally:
        server.stop(20)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_certificates(tmp_path)
    return tmp_path


def imported(state: Path, url: str, *words: str) -> tuple[int, str]:
    done = sizewise(state, "import", "prometheus", "--url", url, "--since", "1h", *words)
    return done.returncode, done.stderr.strip().splitlines()[-1]


@pytest.fixture
def filled(serve: Serve) -> PrometheusServer:  # noqa: F811  # the fixture
    return serve(small_world())


def test_tls_and_a_password_of_prometheus_itself(prometheus_home: Path, filled: PrometheusServer, folder: Path) -> None:
    """With the authority and the password it works; without either the mend is named; without a check it works too."""
    filled.stop()
    authority = ("--ca-file", str(folder / "authority.pem"))
    with guarded(prometheus_home, filled.data, folder) as url:
        code, last = imported(folder / "1", url, "--header", BASIC)
        assert code == 3
        assert "--ca-file" in last
        code, last = imported(folder / "2", url, *authority)
        assert code == 3
        assert "401" in last
        assert "--header" in last
        code, last = imported(folder / "3", url, *authority, "--header", BASIC)
        assert code == 0
        assert "rows are in the log" in last
        assert imported(folder / "4", url, "--insecure-skip-verify", "--header", BASIC)[0] == 0


def test_a_server_that_wants_a_certificate_of_its_client(
    prometheus_home: Path, filled: PrometheusServer, folder: Path
) -> None:
    """Shown, it lets in; not shown, the server is named and no connection is made."""
    filled.stop()
    known = ("--ca-file", str(folder / "authority.pem"), "--header", BASIC)
    with guarded(prometheus_home, filled.data, folder, CLIENTS) as url:
        code, last = imported(folder / "1", url, *known)
        assert code == 3
        assert url in last
        assert imported(folder / "2", url, *known, "--certificate-file", str(folder / "mine.pem"))[0] == 0


def asked(request: urllib.request.Request) -> Any:
    """The answer, a refusal too."""
    try:
        return urllib.request.urlopen(request)
    except urllib.error.HTTPError as refusal:
        return refusal


@contextmanager
def proxy(behind: str, folder: Path) -> Iterator[str]:
    """TLS and a bearer token before a Prometheus, as an ingress has them."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Authorization") != "Bearer good":
                self.send_error(403)
                return
            kept = {name: value for name, value in self.headers.items() if name not in ("Host", "Authorization")}
            request = urllib.request.Request(behind + self.path, body or None, kept, method=self.command)
            with asked(request) as answer:
                data, kind, status = answer.read(), answer.headers["Content-Type"], answer.status
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_bearer_token_from_a_file(filled: PrometheusServer, folder: Path) -> None:
    """The right one lets in, over whole answers; a wrong one is refused with the option that gives it."""
    (folder / "good").write_text("good\n")
    (folder / "bad").write_text("bad\n")
    authority = ("--ca-file", str(folder / "authority.pem"))
    with proxy(filled.url, folder) as url:
        code, last = imported(folder / "1", url, *authority, "--token-file", str(folder / "bad"))
        assert code == 3
        assert "--token-file" in last
        code, last = imported(folder / "2", url, *authority, "--token-file", str(folder / "good"))
        assert code == 0
        assert "rows are in the log" in last
