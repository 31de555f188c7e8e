"""Runs a collector or a replay that is killed again and again, for the tests of exactly-once.

`python -m tests.collector.killing collect|replay FOLDER KILLS SEED`: forks KILLS children one after the other, ends each
with SIGKILL after a random time, and lets a last one finish. A process of its own, because pytest must not fork.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

from collector.replay import Pace
from collector.run import collect, replay
from collector.settings import CollectorSettings
from models.metrics import NullMeter
from stream.contract import EventLog
from stream.open import open_log
from stream.settings import LogSettings
from tests.collector.counting import Spans


def settings_of(folder: Path) -> CollectorSettings:
    return CollectorSettings(outbox=str(folder / "outbox.db"), interval_s=0.1, flush_interval_s=0.1)


def log_of(folder: Path) -> EventLog:
    return open_log(LogSettings(f"sqlite:{folder / 'log.db'}", sqlite_synchronous="normal"))


def work(kind: str, folder: Path, stop: threading.Event) -> None:
    if kind == "collect":
        collect(lambda: log_of(folder), settings_of(folder), NullMeter(), stop, sources=[Spans()])
    else:
        slow = Pace(speed=None)
        replay(folder / "recording.db", lambda: log_of(folder), settings_of(folder), NullMeter(), stop, pace=slow)


def main(kind: str, folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            work(kind, folder, threading.Event())
            os._exit(0)
        time.sleep(chance.uniform(0.005, 0.4 if kind == "collect" else 0.12))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    stop = threading.Event()
    if kind == "collect":
        threading.Timer(0.5, stop.set).start()
    work(kind, folder, stop)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
