"""`sizewise webhook` as a process: TLS, readiness, reviews, the kill switch, the audit trail, the signal."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.webhook_log import write_log
from deploy.services.process import free_port
from models.audit import AuditEntry
from recommender.adapters.certificates import make
from sizewise.commands.webhook import command
from stream.json_codec import decode_json
from stream.open import open_log
from stream.settings import LogSettings
from stream.streams import AUDIT
from tests.recommender.admission.pods import container, pod, review_of, sizes

_WAIT_S = 30.0


def test_reviews_are_answered_through_tls_and_changes_are_audited(tmp_path: Path) -> None:
    """app-0 needs 0.25 cores and 256 MiB of the 4 and 8 GiB that it asks for; at most 95 % are taken, so 409.6 MiB are left.
    What was changed is in the audit stream."""
    log = write_log(tmp_path / "log.db", 300)
    with running(tmp_path, log, "--made-in", f"folder:{tmp_path / 'made'}") as ask:
        response = until(lambda: ask("/mutate/apply", _review()), lambda found: "patch" in found)
        assert response["warnings"] == ["sizewise set main: cpu 4 -> 250m, memory 8Gi -> 410Mi"]
        assert ask("/metrics")["text"].count('sizewise_webhook_reviews_total{outcome="applied"} 1.0') == 1
        assert "sizewise_webhook_certificate_expiry_timestamp_seconds" in ask("/metrics")["text"]
        entries = until(lambda: audited(log), bool)
    assert [entry.details["container main"] for entry in entries] == ["cpu 4 -> 250m, memory 8Gi -> 410Mi"]


def test_the_kill_switch_and_a_rotated_certificate_need_no_restart(tmp_path: Path) -> None:
    """A file that comes stops all changes; one that goes lets them come again."""
    log = write_log(tmp_path / "log.db", 300)
    switch, made = tmp_path / "stop", make(("127.0.0.1",), 1, time.time())
    for name, text in (("tls.crt", made.certificate), ("tls.key", made.key)):
        (tmp_path / name).write_bytes(text)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "ca.crt").write_bytes(made.authorities)
    config = tmp_path / "settings.toml"
    config.write_text(f'[webhook]\nkill_switch = "{switch}"\n[webhook.tls]\ncheck_interval_s = 0.1\n')
    pair = ("--cert", str(tmp_path / "tls.crt"), "--key", str(tmp_path / "tls.key"), "--config", str(config))
    with running(tmp_path, log, *pair) as ask:
        until(lambda: ask("/mutate/apply", _review()), lambda found: "patch" in found)
        switch.touch()
        until(lambda: ask("/mutate/apply", _review()), lambda found: found and "patch" not in found)
        switch.unlink()
        until(lambda: ask("/mutate/apply", _review()), lambda found: "patch" in found)
        fresh = make(("127.0.0.1",), 1, time.time())
        for name, text in (("tls.crt", fresh.certificate), ("tls.key", fresh.key), ("made/ca.crt", fresh.authorities)):
            (tmp_path / name).write_bytes(text)
        assert until(lambda: ask("/healthz"), bool)["text"] == "ok\n"


@pytest.mark.parametrize(("flag", "shown"), [("true", True), ("false", False)])
def test_elsewhere_metrics_are_told_to_nobody_unless_that_is_said(tmp_path: Path, flag: str, shown: bool) -> None:
    """Probes are answered either way: whoever restarts a container must reach them."""
    config = tmp_path / "settings.toml"
    config.write_text(f'[process]\ninsecure_anyone_may_read_metrics = {flag}\n[webhook.tls]\nnames = ["127.0.0.1"]\n')
    made = ("--made-in", f"folder:{tmp_path / 'made'}", "--config", str(config), "--host", "0.0.0.0")
    with running(tmp_path, write_log(tmp_path / "log.db", 300), *made) as ask:
        until(lambda: ask("/readyz"), bool)
        assert bool(ask("/metrics")) is shown


def test_without_tls_only_this_machine_is_listened_to() -> None:
    """The error says what to give."""
    done = CliRunner().invoke(command, ["--host", "0.0.0.0"])
    assert done.exit_code != 0
    assert "can be reached from elsewhere" in str(done.output) + str(done.exception)


@contextmanager
def running(folder: Path, log: LogSettings, *options: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """A webhook, and a way to ask it: a response of a review, or a text; empty while nobody answers."""
    port = free_port()
    where = (f"--port={port}", f"--log={log.location}", f"--state={folder}")
    process = subprocess.Popen((sys.executable, "-m", "sizewise", "webhook", *where, *options))

    def ask(path: str, body: bytes | None = None) -> dict[str, Any]:
        assert process.poll() is None
        request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", body)
        try:
            context = ssl.create_default_context(cafile=folder / "made" / "ca.crt")
            with urllib.request.urlopen(request, context=context, timeout=5) as answer:
                text = answer.read().decode()
        except (OSError, urllib.error.URLError):
            return {}
        found: dict[str, Any] = json.loads(text)["response"] if body else {"text": text}
        return found

    try:
        yield ask
        process.send_signal(signal.SIGTERM)
        assert process.wait(_WAIT_S) == 0
    finally:
        process.kill()
        process.wait()


def until(read: Callable[[], Any], right: Callable[[Any], bool]) -> Any:
    end_s = time.monotonic() + _WAIT_S
    while not right(found := read()):
        if time.monotonic() > end_s:
            pytest.fail(f"still {found!r} after {_WAIT_S} s")
        time.sleep(0.05)
    return found


def audited(settings: LogSettings) -> Sequence[AuditEntry]:
    log = open_log(settings)
    try:
        reader = log.reader(AUDIT)
        records = reader.poll(0.5)
        reader.close()
        return [decode_json(record.value, AuditEntry) for record in records]
    finally:
        log.close()


def _review() -> bytes:
    made = pod(container(resources=sizes({"cpu": "4", "memory": "8Gi"})))
    made["metadata"]["generateName"] = "app-0-5d4f8c7b9-"
    made["metadata"]["ownerReferences"][0]["name"] = "app-0-5d4f8c7b9"
    return review_of(made, namespace="ns-0")
