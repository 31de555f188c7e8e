"""Training beside `up`: when, in a process of its own, and what becomes of it."""

from __future__ import annotations

import threading
from pathlib import Path

from models.metrics import NullMeter
from recommender.fingerprint.shelf import Files, Shelf
from sizewise.process import opened
from sizewise.retrain import Retrain
from stream.settings import LogSettings
from tests.sizewise.test_train_fingerprint import fill, in_use

DAY_S = 86_400.0


class Counted(NullMeter):
    def __init__(self) -> None:
        self.results: list[str] = []

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        super().count(name, amount, **labels)
        if amount:
            self.results.append(labels["result"])


def beside(state: Path, every_hours: float = 24.0) -> Retrain:
    return Retrain(f"sqlite:{state / 'sizewise.db'}", state / "models", every_hours, Counted())


def test_the_next_round_is_due_when_the_version_in_use_is_a_day_old(tmp_path: Path) -> None:
    """Version 1,000,000 ms: at second 1,000 a whole day is left, at 87,000 400 s, later none; without one it is due."""
    assert beside(tmp_path).wait_s(5.0) == 0
    Shelf(tmp_path / "models").promote("1000000", Files(b"", b"", b""))
    assert beside(tmp_path).wait_s(1000.0) == DAY_S
    assert beside(tmp_path).wait_s(87_000.0) == 400
    assert beside(tmp_path).wait_s(200_000.0) == 0


def test_a_round_in_a_process_of_its_own(tmp_path: Path) -> None:
    """The log teaches two kinds of work; asked again at once, the version in use stays; with nothing to learn, too few."""
    fill(tmp_path, ("steady", "dips"))
    retrain, stop = beside(tmp_path), threading.Event()
    assert retrain.train(stop) == "promoted"
    assert in_use(tmp_path / "models").card.windows == 16
    assert retrain.train(stop) == "stays"
    with opened(LogSettings(location=f"sqlite:{tmp_path / 'empty' / 'sizewise.db'}")):
        pass
    assert beside(tmp_path / "empty").train(stop) == "too-few"
    assert isinstance(retrain.meter, Counted)
    assert retrain.meter.results == ["promoted", "stays"]


def test_a_stop_ends_the_round(tmp_path: Path) -> None:
    """Set before the process is up: it is ended, and nothing is counted."""
    fill(tmp_path, ("steady", "dips"))
    retrain, stop = beside(tmp_path), threading.Event()
    stop.set()
    retrain.train(stop)
    assert isinstance(retrain.meter, Counted)
    assert retrain.meter.results == []


def test_never_is_never(tmp_path: Path) -> None:
    """The stage waits for its end and starts nothing."""
    stop = threading.Event()
    thread = threading.Thread(target=beside(tmp_path, 0.0).run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert not (tmp_path / "models").exists()
