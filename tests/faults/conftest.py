"""Logs to break, what to feed them with, and what comes of it when nobody breaks anything."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.settings import KafkaSettings, LogSettings
from tests.faults.installation import Installation
from tests.faults.load import Load, record
from tests.faults.outcome import Outcome, outcome

FLUSHES = 400
SQLITE_SESSION_S, KAFKA_SESSION_S = 6.0, 1.0
"""SQLite sees at once that a member was killed. On Kafka it keeps its partitions for so long, and this is the shortest
that a broker takes."""

Install = Callable[..., Installation]


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    return record(tmp_path_factory.mktemp("load"), FLUSHES)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, load: Load) -> Outcome:
    """The outcome of a run in which nothing goes wrong: one of each, one after the other, on SQLite."""
    folder = tmp_path_factory.mktemp("undisturbed")
    made = Installation(sqlite_settings(folder), folder, load, profilers=1)
    try:
        made.start()
        made.finish()
        return outcome(made.log)
    finally:
        made.close()


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def log_settings(request: pytest.FixtureRequest, tmp_path: Path) -> LogSettings:
    """Where an empty log is."""
    if request.param == "sqlite":
        return sqlite_settings(tmp_path)
    return kafka_settings(request.getfixturevalue("kafka_bootstrap"))


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Makes installations, and ends what is left of them."""
    made: list[Installation] = []

    def make(settings: LogSettings, load: Load, profilers: int = 2) -> Installation:
        made.append(Installation(settings, tmp_path / f"installation-{len(made)}", load, profilers))
        return made[-1]

    yield make
    for installation in made:
        installation.close()


def sqlite_settings(folder: Path) -> LogSettings:
    """Not synchronous: a killed process loses nothing that it has written, only a power cut would."""
    return LogSettings(f"sqlite:{folder / 'log.db'}", sqlite_synchronous="normal", session_s=SQLITE_SESSION_S)


def kafka_settings(bootstrap: str) -> LogSettings:
    topics = KafkaSettings(topic_prefix=f"faults-{uuid.uuid4().hex[:8]}.")
    return LogSettings(f"kafka:{bootstrap}", session_s=KAFKA_SESSION_S, kafka=topics)
