"""Training beside the stages of `up`: now and then, in a process of its own, which takes XGBoost away with it when it ends."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from models.metrics import Meter
from recommender.fingerprint.shelf import Shelf, ShelfError
from sizewise.exits import NO_DATA, OK, STAYS

_FIRST_S = 3600.0
"""Until there is a model it is tried every hour: three runs of two workloads on two GPUs may be there soon."""
_SETTLE_S = 600.0
"""After the start: the stages catch up first."""
_RESULTS = {OK: "promoted", STAYS: "stays", NO_DATA: "too-few"}
"""Exit codes of `sizewise train fingerprint`; any other one is `failed`."""
_COUNTED = "sizewise_model_training_total"
_NICE = 10
"""Training takes a core for a minute; the stages come first."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retrain:
    """`location`: of the log; `folder`: of the versions; `every_hours` 0: never."""

    location: str
    folder: Path
    every_hours: float
    meter: Meter

    def run(self, stop: threading.Event) -> None:
        for result in (*_RESULTS.values(), "failed"):  # there from the start, so that rate() sees the first
            self.meter.count(_COUNTED, 0, model="fingerprint", result=result)
        if not self.every_hours or find_spec("xgboost") is None:
            _log.info("fingerprints are not trained here: %s", "xgboost is missing" if self.every_hours else "as set")
            stop.wait()
            return
        wait_s = max(_SETTLE_S, self.wait_s(time.time()))
        while not stop.wait(wait_s):
            wait_s = _FIRST_S if self.train(stop) == "too-few" else 3600 * self.every_hours

    def wait_s(self, now_s: float) -> float:
        """Until the next round: the age that is left to the version in use. Versions are named by milliseconds."""
        try:
            version = Shelf(self.folder).current()
        except ShelfError as error:
            _log.warning("%s", error)
            return _FIRST_S
        if version is None or not version.isdigit():
            return 0.0
        return max(0.0, int(version) / 1000 + 3600 * self.every_hours - now_s)

    def train(self, stop: threading.Event) -> str:
        """One round; what came of it. Ends early with `stop`."""
        words = ["train", "fingerprint", "--log", self.location, "--out", str(self.folder)]
        with subprocess.Popen(
            [sys.executable, "-m", "sizewise", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as child:
            os.setpriority(os.PRIO_PROCESS, child.pid, _NICE)
            watcher = threading.Thread(target=_end_with, args=(child, stop), name="retrain-stop", daemon=True)
            watcher.start()
            said = (child.communicate()[0] or "").strip()
        result = _RESULTS.get(child.returncode, "failed")
        if not stop.is_set():
            self.meter.count(_COUNTED, model="fingerprint", result=result)
            _log.log(logging.WARNING if result == "failed" else logging.INFO, "%s", said)
        return result


def _end_with(child: subprocess.Popen[str], stop: threading.Event) -> None:
    while child.poll() is None:
        if stop.wait(0.2):
            child.terminate()
            return
