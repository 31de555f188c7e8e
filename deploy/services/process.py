"""One started process: output in a file, ready when a check says so, ended by its id."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.services import tether
from deploy.services.service import ServiceError

_POLL_S = 0.05
_TAIL_LINES = 30


class Process:
    """A child that dies with its parent (see `tether`): start it from a thread that lives as long, best the main one."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        """Starts it, in a session of its own so that Ctrl-C in a terminal reaches the parent only."""
        self.name = name
        self._log = log
        leash = [sys.executable, "-S", tether.__file__, str(os.getpid())]
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [*leash, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        atexit.register(self.kill)

    @property
    def pid(self) -> int:
        return self._child.pid

    def alive(self) -> bool:
        return self._child.poll() is None

    def wait(self) -> int:
        return self._child.wait()

    def await_ready(self, check: Callable[[], bool], timeout_s: float) -> None:
        """Return when `check` holds. Raises ServiceError with the end of the output when it dies or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not check():
            if not self.alive():
                raise ServiceError(f"{self.name} ended with {self._child.returncode} while starting:\n{self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServiceError(f"{self.name} was not ready after {timeout_s:.0f} s:\n{self.tail()}")
            time.sleep(_POLL_S)

    def tail(self) -> str:
        """The end of what it printed."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])

    def signal(self, number: signal.Signals) -> None:
        if self.alive():
            self._child.send_signal(number)

    def stop(self, timeout_s: float) -> None:
        """Ask it to end, and kill it when it has not after `timeout_s`."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        atexit.unregister(self.kill)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self._child.wait()
        atexit.unregister(self.kill)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that the kernel hands to nobody else while this process lives.

    It stays bound here without listening, for whoever is told its number; a server that is stopped for a minute finds it
    free again. Servers take it because they set SO_REUSEADDR."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    port = int(held.getsockname()[1])
    held.detach()
    return port


def require_free(port: int) -> None:
    """Raises ServiceError when somebody else listens on `port` of 127.0.0.1: their answers must not be taken for ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServiceError(f"port {port} of 127.0.0.1 is taken: choose another with --port") from error


def answers_ok(url: str) -> bool:
    """Whether a GET of `url`, of a service started here, answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=1.0) as answer:  # noqa: S310  (127.0.0.1, by its own url)
            return bool(answer.status == 200)
    except OSError:  # of which urllib.error.HTTPError is one
        return False
