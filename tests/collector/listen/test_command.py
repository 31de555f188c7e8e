"""`sizewise collect --listen` refuses what cannot work before it collects anything."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from collector.listen_settings import ListenSettings


def collect(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sizewise", "collect", "--state", str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_nothing_to_collect_is_an_error(tmp_path: Path) -> None:
    """No machine and no address."""
    done = collect(tmp_path, "--no-machine")
    assert (done.returncode, "give --listen HOST:PORT too" in done.stderr) == (1, True)


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    """One line with the address and the mend, no trace."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = collect(tmp_path, "--no-machine", "--listen", address)
    assert done.returncode == 1
    assert f"cannot listen at {address}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("address", "host_port"),
    [(":9201", ("0.0.0.0", 9201)), ("[::1]:0", ("::1", 0)), ("prom.example:80", ("prom.example", 80))],
)
def test_addresses(address: str, host_port: tuple[str, int]) -> None:
    """Host and port as everywhere; without a host it is all of IPv4."""
    assert ListenSettings(address=address, insecure_anyone_may_write=True).host_port == host_port


def test_elsewhere_than_on_loopback_senders_show_who_they_are() -> None:
    """TLS and a token, both, or the frank setting. On loopback neither."""
    files = {"certificate_file": "c.pem", "key_file": "k.pem"}
    ListenSettings(address="[::1]:9201")
    ListenSettings(address="0.0.0.0:9201", token="secret", **files)  # type: ignore[arg-type]
    for kept in ({}, {"token": "secret"}, files):
        with pytest.raises(ValueError, match="--insecure-anyone-may-write"):
            ListenSettings(address=":9201", **kept)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"address": "9201x"}, "HOST:PORT"),
        ({"settle_s": -1.0}, "settle_s"),
        ({"idle_s": 60.0}, "max_gap_s"),
        ({"max_labels": 0}, "max_labels"),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, object], says: str) -> None:
    """The message names the setting."""
    with pytest.raises(ValueError, match=says):
        ListenSettings(**change)  # type: ignore[arg-type]
