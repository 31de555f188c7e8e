"""A profiler in a process of its own, which a test may kill at any instant."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event

from models.metrics import NullMeter
from profiler.service import Profiler
from profiler.settings import ProfilerSettings
from stream.open import open_log
from stream.settings import LogSettings
from tests.forkserver import server
from tests.profiler.telemetry import NOW

COMMIT_INTERVAL_S = 0.02
"""So short that kills hit every part of poll, absorb, encode and commit."""


def start(path: Path) -> BaseProcess:
    """A profiler on the SQLite log at `path`; it ends well on SIGTERM."""
    process = server().Process(target=main, args=(path,), daemon=True)
    process.start()
    return process


def end(process: BaseProcess, how: signal.Signals) -> int | None:
    assert process.pid is not None
    os.kill(process.pid, how)
    process.join(60)
    return process.exitcode


def main(path: Path) -> None:
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    log = open_log(LogSettings(f"sqlite:{path}", sqlite_synchronous="normal"))
    started = time.time()
    settings = ProfilerSettings(commit_interval_s=COMMIT_INTERVAL_S, batch_rows=64)
    Profiler(log, settings, NullMeter(), lambda: NOW / 1000 + time.time() - started).run(stop)
    log.close()
