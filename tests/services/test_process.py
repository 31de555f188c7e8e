"""Started processes: ready when they say so, never left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.services.process import Process, free_port
from deploy.services.service import ServiceError


def test_a_process_that_ends_while_starting_shows_its_output(tmp_path: Path) -> None:
    """The error carries the exit status and what was printed."""
    process = Process("thing", [sys.executable, "-c", "print('port taken'); raise SystemExit(3)"], tmp_path / "log")
    with pytest.raises(ServiceError, match=r"thing ended with 3 while starting:\nport taken"):
        process.await_ready(lambda: False, 30)


def test_a_process_that_is_never_ready_is_killed(tmp_path: Path) -> None:
    """Waiting is bounded, and nothing is left running."""
    process = Process("thing", ["sleep", "60"], tmp_path / "log")
    with pytest.raises(ServiceError, match="thing was not ready after 0 s"):
        process.await_ready(lambda: False, 0.2)
    assert not process.alive()


def test_a_process_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    """`stop` ends it in any case, also when it is paused."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    process = Process("thing", [sys.executable, "-c", deaf], tmp_path / "log")
    process.await_ready(lambda: "up" in process.tail(), 30)
    process.signal(signal.SIGSTOP)
    process.stop(0.2)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_a_process_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """SIGKILL leaves the parent no time to clean up; the kernel does it."""
    starter = (
        "import sys, time; from pathlib import Path; from deploy.services.process import Process; "
        f"print(Process('thing', ['sleep', '60'], Path({str(tmp_path / 'log')!r})).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert _gone(pid)


def _gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True  # dead; whoever adopted it has not reaped it yet
        time.sleep(0.05)
    return False


def test_a_port_that_was_given_out_stays_with_who_was_told_its_number() -> None:
    """Nobody who asks for any port gets it, and a server that asks for it may listen there, again and again."""
    port = free_port()
    assert port not in {free_port() for _ in range(200)}
    for _ in range(2):
        with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
