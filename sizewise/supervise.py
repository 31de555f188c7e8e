"""Keeps a stage running: one that dies is logged, counted and started again after a wait that grows."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from models.metrics import Meter
from sizewise.process_settings import ProcessSettings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stage:
    """`run(stop)` works until `stop` is set. Of `restart_on` it may die and is started again; anything else is passed on."""

    name: str
    run: Callable[[threading.Event], None]
    restart_on: tuple[type[Exception], ...] = (Exception,)


def supervise(
    stage: Stage, stop: threading.Event, settings: ProcessSettings, meter: Meter, now: Callable[[], float]
) -> None:
    """Run the stage until `stop`. Raises what `restart_on` does not name.

    The wait doubles with each death in a row and starts anew after a run longer than the longest wait.
    """
    backoff_s = settings.restart_backoff_s
    meter.count(
        "sizewise_stage_restarts_total", 0, stage=stage.name
    )  # there from the start, so that rate() sees the first
    while not stop.is_set():
        began = now()
        try:
            stage.run(stop)
        except stage.restart_on as error:
            if now() - began > settings.restart_backoff_max_s:
                backoff_s = settings.restart_backoff_s
            _log.error("%s died: %s; it starts again in %.3g s", stage.name, error, backoff_s)
            _log.debug("%s died here", stage.name, exc_info=error)
            meter.count("sizewise_stage_restarts_total", stage=stage.name)
            stop.wait(backoff_s)
            backoff_s = min(2 * backoff_s, settings.restart_backoff_max_s)


def start(
    stages: list[Stage], stop: threading.Event, settings: ProcessSettings, meter: Meter, now: Callable[[], float]
) -> list[threading.Thread]:
    """Each stage in a supervised thread of its own."""
    threads = [
        threading.Thread(target=supervise, args=(stage, stop, settings, meter, now), name=stage.name)
        for stage in stages
    ]
    for thread in threads:
        thread.start()
    return threads
