"""The real server and the real command line, on both logs: tokens from making to revoking, over TLS."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.recommender.access.authority import Authority
from tests.roles import until

DEADLINE_S = 60.0


class Site:
    """`sizewise` with one log."""

    def __init__(self, folder: Path, log: str) -> None:
        self.folder, self.lines = folder, list[str]()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SIZEWISE_")}
        self._environment = kept | {
            "SIZEWISE_STATE": str(folder),
            "SIZEWISE_LOG__LOCATION": log,
            "PYTHONUNBUFFERED": "1",
        }
        self._environment |= (
            {"SIZEWISE_LOG__KAFKA__TOPIC_PREFIX": f"t{uuid.uuid4().hex[:8]}."} if log.startswith("kafka") else {}
        )
        self._environment["SIZEWISE_API__TLS__CHECK_INTERVAL_S"] = "0.2"
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def run(self, *words: str, code: int = 0, token: str = "") -> str:
        done = subprocess.run(
            self._command(*words),
            check=False,
            capture_output=True,
            text=True,
            env=self._environment | ({"SIZEWISE_TOKEN": token} if token else {}),
            timeout=DEADLINE_S,
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def serve(self, *words: str) -> None:
        self._process = subprocess.Popen(
            self._command("serve", "--port", "0", *words),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        until(lambda: bool(self.url) or self._process is None or self._process.poll() is not None)
        assert self.url, "".join(self.lines)

    def end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            assert self._process.wait(DEADLINE_S) == 0
            self._listener.join()
            assert self._process.stderr is not None
            self._process.stderr.close()

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "sizewise", *words]

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line)
            if found := re.search(r"answering at (https?://\S+)/docs", line):
                self.url = found[1].replace("0.0.0.0", "127.0.0.1")


def ask(url: str, token: str = "", context: ssl.SSLContext | None = None) -> tuple[int, Any]:
    """Status and body; 0 while nobody listens yet."""
    headers: Mapping[str, str] = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            return 0, {}
        raise


@pytest.fixture(params=["sqlite", "kafka"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    kafka = request.param == "kafka"
    log = f"kafka:{request.getfixturevalue('kafka_bootstrap')}" if kafka else f"sqlite:{tmp_path / 'log.db'}"
    made = Site(tmp_path, log)
    yield made
    made.end()


def test_a_token_from_making_to_revoking(site: Site) -> None:
    """Listens everywhere, over TLS. Without a token 401; made while it serves: let in; revoked: refused; the certificate is
    rotated under it. The log and every list hold no secret; each denial and change is in the audit stream."""
    authority = Authority(site.folder)
    certificate, key = authority.sign("server", "server")
    tls = ssl.create_default_context(cafile=authority.file)
    site.serve(
        "--host", "0.0.0.0", "--tls-cert", str(certificate), "--tls-key", str(key), "--tls-client-ca", str(authority.file)
    )  # fmt: skip
    until(lambda: any("answers who shows a token" in line for line in site.lines))
    assert site.url.startswith("https://")
    workloads = f"{site.url}/v1/workloads"

    until(lambda: ask(workloads, context=tls)[0] == 401)
    text = site.run("token", "create", "shop", "--verbs", "read", "--namespaces", "prod/shop").strip()
    until(lambda: ask(workloads, text, tls)[0] == 200)
    assert ask(f"{site.url}/metrics", text, tls)[0] == 403
    assert ask(f"{site.url}/readyz", "", tls)[0] == 200
    report = ("report", "--url", site.url, "--ca-file", str(authority.file))
    assert "This needs a token" in site.run(*report, code=1)
    assert "no workloads yet" in site.run(*report, code=4, token=text)

    site.run("token", "create", "sched", "--verbs", "read", "--namespaces", "*", "--certificate", "kube-scheduler")
    shown = ssl.create_default_context(cafile=authority.file)
    shown.load_cert_chain(*authority.sign("kube-scheduler", "client"))
    until(lambda: ask(workloads, context=shown)[0] == 200)

    authority.sign("server", "server")  # over the files that are served
    port = int(site.url.rpartition(":")[2])
    until(lambda: ssl.get_server_certificate(("127.0.0.1", port)) == certificate.read_text())
    assert ask(workloads, text, tls)[0] == 200

    (row,) = [row for row in json.loads(site.run("token", "list", "-o", "json")) if row["name"] == "shop"]
    assert (row["verbs"], row["namespaces"], row["state"]) == (["read"], ["prod/shop"], "good")
    site.run("token", "revoke", row["id"])
    until(lambda: ask(workloads, text, tls)[1].get("type", "").endswith("#revoked-token"))
    assert "was revoked already" in site.run("token", "revoke", row["id"], code=1)

    entries = audit_of(
        site, lambda found: {"revoked-token", "verb-not-allowed", "no-token"} <= {e["reason"] for e in found}
    )
    changes = [(e["decision"], e["reason"]) for e in entries if e["verb"] == "token"]
    assert changes == [("applied", "token-created"), ("applied", "token-created"), ("applied", "token-revoked")]
    kept = site.run("log", "show", "tokens", "--last", "99", "-o", "json") + json.dumps(entries)
    for secret in (text, text[17:], text[17:60]):
        assert secret not in kept
        assert secret not in "".join(site.lines)


def audit_of(site: Site, complete: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """The audit stream, once the server's part is in it too."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = json.loads(site.run("log", "show", "audit", "--last", "999", "--limit", "999", "-o", "json"))
        return complete(found)

    until(there)
    return found


def test_on_loopback_it_says_that_no_token_is_needed(tmp_path: Path) -> None:
    """The start says who may ask. An expired token is told so where tokens are asked; -o json shows a token once."""
    site = Site(tmp_path, f"sqlite:{tmp_path / 'log.db'}")
    site.serve()
    try:
        until(lambda: any("anyone on this machine; no token is needed" in line for line in site.lines))
        until(lambda: ask(f"{site.url}/v1/workloads")[0] == 200)
    finally:
        site.end()
    made = json.loads(
        site.run("token", "create", "ci", "--verbs", "read", "--namespaces", "*", "--expires", "1h", "-o", "json")
    )
    assert made["token"].startswith(f"szw_{made['id']}_")
    assert made["token"] not in site.run("token", "list", "--all", "-o", "yaml")
    assert "no lifetime" in site.run(
        "token", "create", "x", "--verbs", "read", "--namespaces", "*", "--expires", "0d", code=2
    )


def test_anything_between_is_refused_with_the_mend(tmp_path: Path) -> None:
    """Without TLS elsewhere: exit 2 and the frank flag by its name; with the flag it serves, and warns."""
    site = Site(tmp_path, f"sqlite:{tmp_path / 'log.db'}")
    assert "--insecure-anyone-may-read-everything" in site.run("serve", "--host", "0.0.0.0", code=2)
    site.serve("--host", "0.0.0.0", "--insecure-anyone-may-read-everything")
    try:
        until(lambda: any("WARNING" in line and "ANYONE who reaches this address" in line for line in site.lines))
        until(lambda: ask(f"{site.url}/v1/workloads")[0] == 200)
    finally:
        site.end()


def test_what_strangers_send_is_text_wherever_it_is_shown(tmp_path: Path) -> None:
    """Without a token, a path with markup and a terminal's escape, and an address of its own invention: the entry names
    where it came from, the table shows the path as it is, and no escape reaches the terminal."""
    site = Site(tmp_path, f"sqlite:{tmp_path / 'log.db'}")
    site.run("token", "create", "ci", "--verbs", "read", "--namespaces", "*")
    site.serve("--ask-who")
    try:
        until(lambda: ask(f"{site.url}/v1/[/x]%1b[31m")[0] == 401)
        forged = urllib.request.Request(f"{site.url}/v1/forged", headers={"X-Forwarded-For": "9.9.9.9"})
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(forged, timeout=10)
        refused.value.close()
        entries = audit_of(site, lambda found: any(entry["object"] == "GET /v1/forged" for entry in found))
    finally:
        site.end()
    assert {entry["details"]["address"] for entry in entries if entry["decision"] == "denied"} == {"127.0.0.1"}
    for form in ("table", "csv", "markdown", "yaml"):
        shown = site.run("log", "show", "audit", "-o", form)
        assert "\x1b" not in shown
        assert "[/x]\\x1b[31m" in shown.replace("\\\\", "\\").replace("\\e", "\\x1b")
