"""Everything in one process: each stage in a supervised thread, over one log."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from collector.run import collect
from profiler.service import Profiler
from recommender.service import Recommender
from recommender.view import View
from sizewise.http import bind, stages, url_of
from sizewise.metrics import PrometheusMeter
from sizewise.pushed import pushed
from sizewise.retrain import Retrain
from sizewise.settings import Settings
from sizewise.supervise import Stage, start
from stream.contract import EventLog


@dataclass(frozen=True, slots=True)
class Running:
    """What `up` runs: ask `view` what is known; `url` is where the API answers."""

    view: View
    url: str
    threads: list[threading.Thread]


def start_all(log: EventLog, settings: Settings, meter: PrometheusMeter, stop: threading.Event) -> Running:
    """Start every stage; they end when `stop` is set. The wiring diagram of the whole product on one machine."""
    view, listener = View(), bind(settings["api"], or_free=True)

    def profile(stop: threading.Event) -> None:
        Profiler(log, settings["profiler"], meter, time.time).run(stop)

    def recommend(stop: threading.Event) -> None:
        Recommender(log, settings["recommender"], meter, time.time).run(stop)

    def read(stop: threading.Event) -> None:
        collect(lambda: log, settings["collector"], meter, stop, pushed=pushed(settings["collector"], meter))

    made = [
        Stage("collect", read),
        Stage("profile", profile),
        Stage("recommend", recommend),
        Stage("train", _retrain(settings, meter).run),
        *stages(log, view, settings, meter, listener),
    ]
    return Running(
        view, url_of(listener, settings["api"]), start(made, stop, settings["process"], meter, time.monotonic)
    )


def _retrain(settings: Settings, meter: PrometheusMeter) -> Retrain:
    fingerprint = settings["api"].fingerprint
    return Retrain(settings["log"].location, Path(fingerprint.model), fingerprint.train_every_hours, meter)
