"""Every implementation of the event log. A new one is added to LOGS, and the whole suite runs on it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.contract import EventLog
from stream.open import open_log
from stream.settings import KafkaSettings, LogSettings

SESSION_S = 20.0
"""How long a stopped member keeps its partitions: so long that a busy machine expels nobody. A test that waits for a session
to end has a shorter one."""


def sqlite_settings(request: pytest.FixtureRequest) -> LogSettings:
    folder: Path = request.getfixturevalue("tmp_path")
    return LogSettings(f"sqlite:{folder / 'log.db'}", sqlite_synchronous="normal", session_s=SESSION_S)


def kafka_settings(request: pytest.FixtureRequest) -> LogSettings:
    bootstrap: str = request.getfixturevalue("kafka_bootstrap")
    own_topics = KafkaSettings(topic_prefix=f"t{uuid.uuid4().hex[:12]}.")
    return LogSettings(f"kafka:{bootstrap}", session_s=SESSION_S, kafka=own_topics)


LOGS: dict[str, Callable[[pytest.FixtureRequest], LogSettings]] = {"sqlite": sqlite_settings, "kafka": kafka_settings}


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def log_settings(request: pytest.FixtureRequest) -> LogSettings:
    """Where an empty log is that no other test uses."""
    return LOGS[request.param](request)


@pytest.fixture
def log(log_settings: LogSettings) -> Iterator[EventLog]:
    """That log, open."""
    opened = open_log(log_settings)
    yield opened
    opened.close()
