"""Commands of the product in forked processes. What runs there is `sizewise.__main__.main`, as from the console script."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import connection
from pathlib import Path

from tests.faults.fuse import BLOWN, Fuse
from tests.forkserver import server

_TAIL_LINES = 60


class Role:
    """One role that is started, killed and started again. What it prints is in one file."""

    def __init__(self, name: str, words: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.words = list(words)
        """Its command line; what is changed here holds from the next start on."""
        self._environment = dict(environment)
        self._output = folder / f"{name}.log"
        self._process: multiprocessing.context.ForkServerProcess | None = None

    def start(self, fuse: Fuse | None = None) -> None:
        arguments = (self.words, self._environment, self._output, fuse)
        self._process = server().Process(target=_run, args=arguments, name=self.name)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid or 0

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the number of the signal that ended it."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL. One that has ended already stays as it is."""
        assert self._process is not None, f"{self.name} was never started"
        self._process.kill()
        self._process.join()

    def terminate(self, timeout_s: float = 30) -> None:
        """SIGTERM, upon which it saves its work and ends well."""
        assert self._process is not None, f"{self.name} was never started"
        self._process.terminate()
        self.join(timeout_s)

    def join(self, timeout_s: float) -> None:
        """Wait for it to end by itself, and well."""
        assert self._process is not None, f"{self.name} was never started"
        self._process.join(timeout_s)
        if self._process.exitcode is None:
            self.abort()
        assert self._process.exitcode == 0, f"{self.name} ended with {self._process.exitcode}:\n{self.tail()}"

    def abort(self) -> None:
        """End one that hangs, and have it print where its threads are."""
        assert self._process is not None, f"{self.name} was never started"
        os.kill(self.pid, signal.SIGABRT)
        self._process.join()

    def close(self) -> None:
        if self._process is not None:
            self.kill()
            self._process.close()
            self._process = None

    def output(self) -> str:
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def tail(self) -> str:
        return "\n".join(self.output().splitlines()[-_TAIL_LINES:])

    def blown(self) -> list[str]:
        """Where fuses killed it: file, line, function, event."""
        return re.findall(f"^{BLOWN}(.*)$", self.output(), re.MULTILINE)


def _run(words: list[str], environment: dict[str, str], output: Path, fuse: Fuse | None) -> None:
    """In the fork: become the command."""
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    faulthandler.enable()
    os.environ.update(environment)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    from sizewise.__main__ import main

    if fuse is not None:
        fuse.light()
    main(words)


def _die_with_parent() -> None:
    """A role must not outlive a test run that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
