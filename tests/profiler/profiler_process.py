"""A profiler in a process of its own, which a test may kill at any instant."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

from models.metrics import NullMeter
from profiler.service import Profiler
from profiler.settings import ProfilerSettings
from stream.open import open_log
from stream.settings import LogSettings
from tests.profiler.telemetry import NOW

COMMIT_INTERVAL_S = 0.02
"""So short that kills hit every part of poll, absorb, encode and commit."""


def start(path: Path) -> subprocess.Popen[bytes]:
    """A profiler on the SQLite log at `path`; it ends well on SIGTERM."""
    return subprocess.Popen([sys.executable, "-m", __name__, str(path)])


def end(process: subprocess.Popen[bytes], how: signal.Signals) -> int:
    process.send_signal(how)
    return process.wait(60)


def main(path: str) -> None:
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    log = open_log(LogSettings(f"sqlite:{path}", sqlite_synchronous="normal"))
    started = time.time()
    settings = ProfilerSettings(commit_interval_s=COMMIT_INTERVAL_S, batch_rows=64)
    Profiler(log, settings, NullMeter(), lambda: NOW / 1000 + time.time() - started).run(stop)
    log.close()


if __name__ == "__main__":
    main(sys.argv[1])
